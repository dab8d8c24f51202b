"""From events to deliveries: the rules sort the events, and a digest gathers what waits for a rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from core.ids import new_object_id
from core.jobs.queue import enqueue
from core.notifications.models import Delivery, Event, Item, Rule, Target
from core.notifications.webhooks import body_of
from core.store.unit_of_work import retried, unit_of_work

BATCH = 500
MAX_MEMBERS = 200
"""A rule for a group tells so many members, in the order of their names."""


def tell(now: datetime) -> None:
    """Sort the new events, and make the digests that are due."""
    while _sort_some(now):
        pass
    make_digests(now)


def make_digests(now: datetime) -> None:
    """Make the digest of each rule that has items and whose last digest is old enough."""
    waiting = Rule.objects.filter(items__digest="", paused_at__isnull=True).order_by("pk").distinct()
    for rule in waiting:
        if rule.last_digest_at is None or rule.last_digest_at + timedelta(minutes=rule.digest_minutes) <= now:
            _make_digest(rule, now)


def receivers(rule: Rule) -> list[User]:
    """Return the people who get the mails of a rule: its person, or the active members of its group."""
    people = User.objects.filter(is_active=True)
    people = (
        people.filter(pk=rule.user_id or 0) if rule.target == Target.PERSON else people.filter(groups=rule.group_id)
    )
    return list(people.order_by("username")[:MAX_MEMBERS])


@retried
def _sort_some(now: datetime) -> int:
    """Make the items of at most 500 events; return the number of events."""
    with unit_of_work(with_accounts=True):
        events = list(Event.objects.filter(sorted_at__isnull=True).order_by("pk")[:BATCH])
        if events:
            rules = list(Rule.objects.filter(paused_at__isnull=True))
            items = [Item(rule=rule, event=event) for event in events for rule in rules if rule.wants(event)]
            Item.objects.bulk_create(items, batch_size=BATCH, ignore_conflicts=True)
            Event.objects.filter(pk__in=[event.pk for event in events]).update(sorted_at=now)
    return len(events)


@retried
def _make_digest(rule: Rule, now: datetime) -> None:
    """Move the waiting items of a rule to a new digest, unless another worker has; store the digest's deliveries."""
    digest = new_object_id()
    with unit_of_work(with_accounts=True):
        if not Rule.objects.filter(pk=rule.pk, last_digest_at=rule.last_digest_at).update(last_digest_at=now):
            return
        count = Item.objects.filter(rule=rule, digest="").update(digest=digest)
        if not count:
            # Another worker has told them; the next event need not wait.
            Rule.objects.filter(pk=rule.pk).update(last_digest_at=rule.last_digest_at)
            return
        for delivery in _deliveries(rule, digest, count):
            delivery.save(force_insert=True)
            enqueue("notifications.deliver", delivery.pk)


def _deliveries(rule: Rule, digest: str, count: int) -> Sequence[Delivery]:
    if rule.target != Target.WEBHOOK:
        return [Delivery(rule=rule, user=user, digest=digest, event_count=count) for user in receivers(rule)]
    events = list(Event.objects.filter(items__digest=digest).order_by("pk")[:BATCH])
    return [Delivery(rule=rule, digest=digest, event_count=count, body=body_of(rule, events, count, timezone.now()))]
