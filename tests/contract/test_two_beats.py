"""Two beats of one hub as processes: one acts, the other takes over, and scheduled syncs start once."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from core.beat.lease import LEASE
from core.beat.models import BeatLease
from federations.models import Federation, SyncJob
from federations.schedules.rule import Schedule
from federations.services.schedule import set_schedule
from tests.contract.hub_processes import kill_group, running, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def holder() -> str:
    """Return the name of the beat that holds the lease now."""
    return BeatLease.objects.filter(held_until__gte=timezone.now()).values_list("holder", flat=True).first() or ""


def make_due(federation: Federation) -> None:
    """Let a scheduled sync be due, of a federation whose last one has ended."""
    SyncJob.objects.all().delete()
    Federation.objects.filter(pk=federation.pk).update(next_sync_at=timezone.now() - timedelta(hours=3))


def test_a_second_beat_takes_over_after_a_stop_and_after_a_kill(federation: Federation, tmp_path: Path) -> None:
    set_schedule(federation, Schedule(86_400))
    logs = [tmp_path / f"{name}.log" for name in ("first", "second", "third")]
    with running("beat", logs[0]) as first:
        wait_for(lambda: holder().split(":")[1:2] == [str(first.pid)], logs[0])
        with running("beat", logs[1]) as second:
            wait_for(lambda: "Another beat acts" in logs[1].read_text(), logs[1])
            make_due(federation)
            wait_for(lambda: SyncJob.objects.exists(), logs[0])
            first.send_signal(signal.SIGTERM)
            assert first.wait(20) == 0
            # The lease was given back, so nothing waits for its end.
            wait_for(lambda: holder().split(":")[1:2] == [str(second.pid)], logs[1])
            with running("beat", logs[2]) as third:
                wait_for(lambda: "Another beat acts" in logs[2].read_text(), logs[2])
                killed_at = timezone.now()
                kill_group(second)
                make_due(federation)
                wait_for(lambda: holder().split(":")[1:2] == [str(third.pid)], logs[2])
                assert timezone.now() - killed_at < LEASE + timedelta(seconds=15)
                wait_for(lambda: SyncJob.objects.exists(), logs[2])
    assert SyncJob.objects.count() == 1
    assert "This beat acts now" in logs[2].read_text()
