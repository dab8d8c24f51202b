"""Take, renew and give back the lease of the beat. The package's docstring says how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from core.beat.models import BeatLease
from core.figures.gauges import Gauge

NAME = "beat"
LEASE = timedelta(seconds=15)
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def hold(holder: str) -> bool:
    """Renew or take the lease for `holder`; return False while another beat holds it."""
    now = timezone.now()
    values = {"held_until": now + LEASE, "acted_at": now}
    row = BeatLease.objects.filter(name=NAME)
    if row.filter(holder=holder).update(**values):
        return True
    if not row.exists():
        BeatLease.objects.bulk_create([BeatLease(name=NAME, held_until=_NEVER)], ignore_conflicts=True)
    # A time far ahead was written before the clock was set back.
    lapsed = Q(held_until__lt=now) | Q(held_until__gt=now + 2 * LEASE)
    return bool(row.filter(lapsed).update(holder=holder, taken_at=now, **values))


def give_back(holder: str) -> None:
    """End the lease of `holder`, if it holds it."""
    BeatLease.objects.filter(name=NAME, holder=holder).update(holder="", held_until=_NEVER)


def holder_now() -> str:
    """Return the name of the beat that acts, or an empty text."""
    names = BeatLease.objects.filter(name=NAME, held_until__gte=timezone.now()).values_list("holder", flat=True)
    return names.first() or ""


def beat_gauges() -> list[Gauge]:
    """Return how long ago a beat acted; nothing before the first one has."""
    acted_at = BeatLease.objects.filter(name=NAME).values_list("acted_at", flat=True).first()
    if acted_at is None:
        return []
    age = max(0.0, (timezone.now() - acted_at).total_seconds())
    return [Gauge("fedhub_beat_acted_seconds_ago", "How long ago a beat acted.", (), {(): age})]
