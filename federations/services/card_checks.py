"""Check the signatures of agent cards against the pinned keys: at each sync, and again when the keys change.

A check reads stored cards and stored keys alone. An agent is due if it was never checked, or before the last change of
the keys; so a lost message delays a check until the next sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from core.errors import HubError
from core.jobs.queue import enqueue_again
from core.store.many_rows import update_each
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import A2aAgent, CardKeyPin
from federations.services.batches import BATCH, batches
from federations.services.card_keys import fetch_card_keys
from federations.sync.card_keys import CardKey
from federations.sync.card_signatures import verify_card

COLUMNS = ("signature_state", "signature_kid", "signature_key_name", "signature_reason", "signature_checked_at")
SETTLING = timedelta(minutes=1)
"""A transaction that read the keys may end this long after another one has changed them."""

MAX_FETCHES = 20


@retried
def check_cards(agent_ids: Collection[str]) -> None:
    """Check the cards of the agents with these ids, and keep the verdicts; other ids are ignored."""
    for batch in batches(sorted(agent_ids)):
        with unit_of_work():
            _check(A2aAgent.objects.filter(pk__in=list(batch)))


def check_due_cards() -> int:
    """Check the agents that are due, in batches of their own transactions; return their number."""
    checked = 0
    while ids := list(_due().order_by("pk").values_list("pk", flat=True)[:BATCH]):
        check_cards(ids)
        checked += len(ids)
        if len(ids) < BATCH:
            break
    return checked


def nudge_card_checks() -> None:
    """Ask workers for the checks that are due, and for the JWK Sets that nobody has tried to fetch."""
    if (due := _due().order_by("pk").values_list("pk", flat=True).first()) is not None:
        enqueue_again("federations.check_cards", due)
    waiting = CardKeyPin.objects.filter(retired_at__isnull=True, tried_at__isnull=True).exclude(jwks_url="")
    for key in waiting.order_by("pk").values_list("pk", flat=True)[:MAX_FETCHES]:
        enqueue_again("federations.fetch_card_keys", key)


def fetch_pinned(pin_id: str) -> None:
    """Fetch the JWK Set of a pinned address; a failure stays on the key's page, for staff."""
    pin = CardKeyPin.objects.filter(pk=pin_id).first()
    if pin is not None and not pin.is_retired:
        try:
            fetch_card_keys(pin)
        except HubError:
            return


def _due() -> QuerySet[A2aAgent]:
    changed_at = CardKeyPin.objects.aggregate(newest=Max("changed_at"))["newest"]
    is_due = Q(signature_checked_at__isnull=True)
    if changed_at is not None:
        # Once more after the settling: the check may not have seen a change that was not committed yet.
        settled = min(changed_at, timezone.now() - SETTLING * 2) + SETTLING
        is_due |= Q(signature_checked_at__lt=max(changed_at, settled))
    return A2aAgent.objects.filter(is_due)


def _check(agents: QuerySet[A2aAgent]) -> None:
    # The time comes first: a change of the keys during the check makes the agents due again.
    now, rows = timezone.now(), list(locked(agents).only("pk", "card", "federation_id", *COLUMNS))
    if not rows:
        return
    keys = _pinned_keys()
    for row in rows:
        of_all, own = keys.get("", ()), keys.get(row.federation_id or "-", ())
        verdict = verify_card(row.card, [*own, *of_all])
        row.signature_state, row.signature_kid = verdict.state.value, verdict.kid
        row.signature_key_name, row.signature_reason = verdict.key_name, verdict.reason
        row.signature_checked_at = now
    update_each(rows, COLUMNS, batch_size=BATCH)


def _pinned_keys() -> dict[str, Sequence[CardKey]]:
    """Return the keys in use by the id of their federation, those of every federation under an empty id."""
    found: dict[str, list[CardKey]] = {}
    pins = CardKeyPin.objects.filter(retired_at__isnull=True).order_by("pk")
    for pin in pins.values("federation_id", "name", "organization", "jwks"):
        keys = (CardKey(pin["name"], str(jwk["kid"]), jwk, pin["organization"]) for jwk in pin["jwks"])
        found.setdefault(pin["federation_id"] or "", []).extend(keys)
    return dict(found)
