"""What people do with rules and deliveries: pause, make a secret, test, send again."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from core.activity.recording import MASK, record
from core.errors import ConflictError
from core.jobs.queue import enqueue
from core.net.client import Blocked, check_url
from core.notifications.delivery import deliver
from core.notifications.models import Delivery, DeliveryState, Item, Rule, Target
from core.notifications.webhooks import OVERLAP, WEBHOOK_KEYS, body_of_test, new_secret
from core.store.unit_of_work import retried, unit_of_work


def refusal_of_url(url: str) -> str:
    """Return why the hub would not send to this URL, judged without DNS; "" if it would."""
    try:
        check_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS)
    except Blocked as exc:
        return exc.message
    return ""


@retried
def pause_rule(rule: Rule) -> None:
    """Tell nothing more by this rule, and drop what waits for its next digest."""
    with unit_of_work(with_accounts=True):
        now = timezone.now()
        if Rule.objects.filter(pk=rule.pk, paused_at__isnull=True).update(paused_at=now, paused_why=""):
            record(rule, {"paused_at": (None, now)})
            Item.objects.filter(rule=rule, digest="").delete()


@retried
def resume_rule(rule: Rule) -> None:
    """Tell the events from now on; those of the pause stay untold."""
    with unit_of_work(with_accounts=True):
        if Rule.objects.filter(pk=rule.pk, paused_at__isnull=False).update(paused_at=None, paused_why=""):
            record(rule, {"paused_at": (rule.paused_at, None)})


def make_secret(rule: Rule) -> str:
    """Give a webhook's rule a new secret, and return it; the one before signs for a further day.

    Raises ConflictError for a rule without a webhook, InternalError without FEDHUB_SECRETS_KEY.
    """
    secret = new_secret()
    set_secret(rule, secret)
    return secret


@retried
def set_secret(rule: Rule, secret: str) -> None:
    """Store the secret of a webhook's rule, or remove it (""); the one before signs for a further day beside another.

    Raises ConflictError for a rule without a webhook, InternalError without FEDHUB_SECRETS_KEY.
    """
    with unit_of_work(with_accounts=True):
        stored = Rule.objects.filter(pk=rule.pk, target=Target.WEBHOOK).first()
        if stored is None:
            raise ConflictError("Only a webhook has a secret")
        is_replaced = bool(stored.secret and secret)
        values = {
            "previous_secret": stored.secret if is_replaced else "",
            "previous_until": timezone.now() + OVERLAP if is_replaced else None,
        }
        encrypted = WEBHOOK_KEYS.encrypt(secret) if secret else ""
        if not Rule.objects.filter(pk=rule.pk, secret=stored.secret).update(secret=encrypted, **values):
            raise ConflictError("Another person has made a secret meanwhile")
        record(rule, {"secret": (MASK if stored.secret else "", MASK if secret else "")})


def send_test(rule: Rule, *, to: User) -> Delivery:
    """Send a test at once, and return its delivery with the attempt.

    A webhook gets a message of the type `fedhub.test`. A rule for a person mails that person, a rule for a group `to`.
    """
    is_webhook = rule.target == Target.WEBHOOK
    user = None if is_webhook else rule.user or to
    body = body_of_test(rule, timezone.now()) if is_webhook else ""
    delivery = Delivery.objects.create(rule=rule, user=user, is_test=True, body=body)
    deliver(delivery.pk)
    return Delivery.objects.get(pk=delivery.pk)


@retried
def send_again(delivery: Delivery) -> None:
    """Send a delivery again that was given up, with the same id and all its attempts; raises ConflictError for another.

    A test, and a message of a paused rule, cannot be sent again.
    """
    if delivery.rule.paused_at:
        raise ConflictError("The rule is paused: resume it first")
    given_up = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.DEAD, is_test=False)
    values = {"state": DeliveryState.WAITING, "due_at": timezone.now(), "attempts": 0, "ended_at": None}
    with unit_of_work(with_accounts=True):
        if not given_up.update(**values):
            raise ConflictError("Only a message that was given up can be sent again")
        record(delivery, {"state": (DeliveryState.DEAD.value, DeliveryState.WAITING.value)})
    enqueue("notifications.deliver", delivery.pk)
