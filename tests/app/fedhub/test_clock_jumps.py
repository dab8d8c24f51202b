"""The hub's clock jumps by an hour, forward or back: nothing waits for ever, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from core.actors import actor_of
from federations.models import Federation, SyncJob
from federations.schedules.rule import Schedule
from federations.services.due_syncs import start_due_syncs
from federations.services.jobs import cancel, end_lapsed_jobs, take
from federations.services.schedule import repair_schedules, set_schedule
from federations.services.start import start_sync
from fedhub.beat import HubScheduler
from fedhub.celery import app
from peers.models import Peer, ReceivedDispatch, SeenNonce
from peers.services.trust.replay import forget_nonces
from tests.api.peers.partner import Partner, body_of, send

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock of this process, from now on; the monotonic clock stays as it is."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def move(clock: time_machine.Traveller, by: timedelta) -> None:
    clock.move_to(timezone.now() + by)


class RecordingBeat(HubScheduler):
    """The hub's beat, whose tasks are noted instead of sent."""

    def __init__(self) -> None:
        super().__init__(app=app)
        # It would write its tasks when this process ends, without the test's database.
        self._finalize.cancel()

    def apply_entry(self, entry: object, producer: object = None) -> None:
        self.sent.append(str(entry.task))  # type: ignore[attr-defined]

    def run(self, *, after: timedelta = timedelta()) -> list[str]:
        """Do what is due now; return the names of the tasks. `after` has passed since the last call."""
        self._clock += after.total_seconds()  # the monotonic clock of the test stands still
        self.sent: list[str] = []
        self._next_look = 0.0
        while self.tick() == 0:
            pass
        return self.sent


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_the_sweeps_go_on_after_a_jump_and_each_runs_once(clock: time_machine.Traveller, jump: timedelta) -> None:
    beat = RecordingBeat()
    beat.run()
    move(clock, MINUTE)
    assert sorted(set(beat.run(after=MINUTE))) == sorted(beat.sent), "each once"
    usual = set(beat.sent)
    assert "federations.sweep" in usual

    move(clock, jump)
    after = beat.run()
    assert len(after) == len(set(after))
    move(clock, MINUTE)

    assert usual <= set(beat.run(after=MINUTE))
    assert len(beat.sent) == len(set(beat.sent))
    assert beat._acting_beat == beat.holder


def test_a_beat_that_starts_after_the_clock_was_set_back_does_not_wait_for_the_old_time(
    clock: time_machine.Traveller,
) -> None:
    first = RecordingBeat()
    first.run()
    move(clock, MINUTE)
    assert first.run(after=MINUTE)
    first.close()
    move(clock, -HOUR)

    second = RecordingBeat()
    second.run()
    move(clock, MINUTE)

    assert "federations.sweep" in second.run(after=MINUTE)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_scheduled_sync_starts_once_after_a_jump(
    clock: time_machine.Traveller, federation: Federation, jump: timedelta
) -> None:
    set_schedule(federation, Schedule(7200))
    move(clock, jump)
    repair_schedules()
    federation.refresh_from_db()
    assert federation.next_sync_at is not None
    assert federation.next_sync_at <= timezone.now() + timedelta(hours=2)

    clock.move_to(federation.next_sync_at + MINUTE)

    assert (start_due_syncs(), start_due_syncs()) == (1, 0)


def test_a_dead_workers_lease_ends_though_the_clock_was_set_back_and_staff_need_not_wait(
    clock: time_machine.Traveller, federation: Federation, owner: User
) -> None:
    job = start_sync(federation, by=actor_of(owner), queued=True)
    take(job.id)
    move(clock, -HOUR)
    assert end_lapsed_jobs() == 0
    cancel(job.id, by=actor_of(owner))
    second = start_sync(federation, by=actor_of(owner), queued=True)
    take(second.id)
    move(clock, -HOUR)

    move(clock, HOUR + 5 * MINUTE)

    assert end_lapsed_jobs() == 1
    assert SyncJob.objects.get(id=second.id).status == "failed"


def test_a_copied_message_has_no_second_effect_though_its_nonce_was_forgotten_in_a_jump(
    clock: time_machine.Traveller,
) -> None:
    alpha = Partner("https://alpha.example.org", b"a" * 32)
    assert isinstance(alpha.approve(), Peer)
    body = body_of(alpha.signed())
    headers = alpha.headers(body)
    first = send(body, headers).json()
    move(clock, HOUR)
    assert send(body, headers).status_code == 401, "too old"
    assert forget_nonces(timezone.now()) == 1
    move(clock, -HOUR)

    again = send(body, headers)

    assert (again.status_code, again.json()["dispatch_id"]) == (200, first["dispatch_id"])
    assert "Already processed" in again.json()["message"]
    assert (ReceivedDispatch.objects.count(), SeenNonce.objects.count()) == (1, 1)
