"""Delivery: a worker takes a due row, sends it outside of any transaction, and records the attempt under its lease.

Where a worker dies in between, the row is due again when the lease ends, and is sent again with the same id.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from core.activity.recording import record
from core.errors import InternalError
from core.jobs.queue import enqueue_again, nudge_lifetime
from core.net.client import TransportError, send
from core.notifications.events import one_line
from core.notifications.mail import send_mail
from core.notifications.models import MAX_TEXT, Attempt, Delivery, DeliveryState, Rule, Target
from core.notifications.outcomes import MAX_ATTEMPTS, Outcome, pause_after
from core.notifications.webhooks import headers_of, signing_keys
from core.store.unit_of_work import retried, unit_of_work

LEASE = timedelta(seconds=60)
MAX_ANSWER_BYTES = 100_000
GONE = 410
NO_SECRET = "the rule has no secret yet: make one on its page"  # noqa: S105 - not a secret
PAUSED = "the rule was paused"
GONE_WHY = "the receiver answered 410: it wants no more messages"
SWEEP_BATCH = 500


def deliver(delivery_id: str) -> None:
    """Send a due delivery; one that is done, given up or leased by another worker stays as it is."""
    now, token = timezone.now(), secrets.token_hex(16)
    if not Delivery.take(delivery_id, now=now, lease=LEASE, token=token):
        return
    delivery = Delivery.objects.select_related("rule", "user").get(pk=delivery_id)
    started = time.monotonic()
    outcome = _outcome_of(delivery)
    settle(delivery, token, outcome, milliseconds=round((time.monotonic() - started) * 1000))


@retried
def settle(delivery: Delivery, token: str, outcome: Outcome, *, milliseconds: int) -> None:
    """Record an attempt, and what follows from it; change nothing if the lease of `token` was lost."""
    now, text = timezone.now(), one_line(outcome.text)[:MAX_TEXT]
    with unit_of_work(with_accounts=True):
        values = _state_after(delivery, outcome, now) | {
            "lease_token": "",
            "last_error": "" if outcome.is_sent else text,
        }
        if not Delivery.objects.filter(pk=delivery.pk, lease_token=token).update(**values):
            return
        Attempt.objects.create(delivery_id=delivery.pk, at=now, code=outcome.code, milliseconds=milliseconds, text=text)
        if outcome.is_gone:
            Rule.objects.filter(pk=delivery.rule_id).update(paused_at=now, paused_why=GONE_WHY)
            record(delivery.rule, {"paused_at": (None, now)}, reason=GONE_WHY)


def nudge_due(now: datetime) -> None:
    """Nudge workers to the due deliveries for which no nudge is valid, until the broker takes no more."""
    has_no_nudge = Q(nudged_at=None) | Q(nudged_at__lt=F("due_at")) | Q(nudged_at__lte=now - nudge_lifetime())
    due = Delivery.objects.filter(has_no_nudge, state=DeliveryState.WAITING, due_at__lte=now).order_by("due_at")
    for delivery_id in due.values_list("pk", flat=True)[:SWEEP_BATCH]:
        if not enqueue_again("notifications.deliver", delivery_id):
            return
        Delivery.objects.filter(pk=delivery_id).update(nudged_at=now)


def _state_after(delivery: Delivery, outcome: Outcome, now: datetime) -> dict[str, object]:
    if outcome.is_sent or outcome.is_nothing:
        state = DeliveryState.SENT if outcome.is_sent else DeliveryState.NOTHING
        return {"state": state, "due_at": None, "ended_at": now}
    # A person waits for the answer of a test, so a test is not repeated.
    if outcome.is_final or delivery.is_test or delivery.attempts >= MAX_ATTEMPTS:
        return {"state": DeliveryState.DEAD, "due_at": None, "ended_at": now}
    return {"due_at": now + pause_after(delivery.attempts)}


def _outcome_of(delivery: Delivery) -> Outcome:
    rule = delivery.rule
    if rule.paused_at and not delivery.is_test:
        return Outcome(None, PAUSED, is_final=True)
    return send_mail(delivery) if rule.target != Target.WEBHOOK else _post(delivery, rule)


def _post(delivery: Delivery, rule: Rule) -> Outcome:
    now = timezone.now()
    try:
        keys = signing_keys(rule, now)
    except InternalError as exc:
        return Outcome(None, exc.message)
    if not keys:
        return Outcome(None, NO_SECRET, is_final=True)
    headers = headers_of(delivery.webhook_id, delivery.body, keys, timestamp=int(now.timestamp()))
    try:
        answer = send(
            "POST",
            rule.url,
            body=delivery.body.encode(),
            headers=headers,
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            max_bytes=MAX_ANSWER_BYTES,
        )
    except TransportError as exc:
        return Outcome(None, exc.message, is_final=exc.permanent)
    text = answer.body[:MAX_TEXT].decode("utf-8", "replace")
    is_gone = answer.status == GONE
    return Outcome(answer.status, text, is_sent=answer.is_success, is_final=is_gone, is_gone=is_gone)
