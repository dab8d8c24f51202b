"""The circuit breaker of a peer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from peers.models import Dispatch, OutboundCallback, Peer
from peers.services.inbox.work_progress import complete
from peers.services.outbox import circuit
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.delivery import CIRCUIT_OPEN, deliver_callback, deliver_dispatch
from tests.app.peers.outbox.conftest import Partner, fresh, make_due


def open_circuit(partner: Partner) -> None:
    """Let five deliveries in a row fail."""
    for _ in range(circuit.FAILURES_TO_OPEN):
        partner.answer(503)
        deliver_dispatch(partner.dispatch().pk)
    assert len(partner.requests) == circuit.FAILURES_TO_OPEN


def owed_callback(partner: Partner) -> OutboundCallback:
    """Have this hub report the end of the partner's work."""
    complete(partner.received().pk, usage={})
    return OutboundCallback.objects.get()


def end_pause() -> None:
    """End the pause of the open circuit."""
    Peer.objects.update(circuit_open_until=timezone.now() - timedelta(seconds=1))


def test_after_five_failures_nothing_is_sent_for_a_while(partner: Partner) -> None:
    open_circuit(partner)
    dispatch = partner.dispatch()
    deliver_dispatch(dispatch.pk)
    assert len(partner.requests) == 5
    row = fresh(dispatch)
    assert row.due_at >= fresh(partner.peer).circuit_open_until
    assert row.reason == "the peer does not answer; waiting before the next attempt"


def test_one_probe_goes_out_and_its_answer_makes_waiting_rows_due(partner: Partner) -> None:
    open_circuit(partner)
    waiting, probe = partner.dispatch(), partner.dispatch()
    deliver_dispatch(waiting.pk)
    end_pause()

    deliver_dispatch(probe.pk)

    assert (len(partner.requests), fresh(probe).status) == (6, "accepted")
    assert (fresh(partner.peer).circuit_failures, fresh(partner.peer).circuit_open_until) == (0, None)
    assert not Dispatch.objects.filter(status="pending", due_at__gt=timezone.now()).exists()
    deliver_dispatch(waiting.pk)
    assert fresh(waiting).status == "accepted"


def test_while_a_probe_is_under_way_all_others_wait(partner: Partner) -> None:
    open_circuit(partner)
    end_pause()
    # MongoDB keeps milliseconds.
    now = timezone.now().replace(microsecond=0)
    peer = fresh(partner.peer)
    assert circuit.wait_until(peer, now=now) is None
    assert circuit.wait_until(peer, now=now) == now + timedelta(seconds=circuit.PROBE_SECONDS)
    assert circuit.wait_until(fresh(partner.peer), now=now) == now + timedelta(seconds=circuit.PROBE_SECONDS)


def test_a_failed_probe_opens_the_circuit_for_longer(partner: Partner) -> None:
    open_circuit(partner)
    pauses = [round((fresh(partner.peer).circuit_open_until - timezone.now()).total_seconds())]
    for _ in range(8):
        end_pause()
        partner.answer(503)
        dispatch = partner.dispatch()
        deliver_dispatch(dispatch.pk)
        pauses.append(round((fresh(partner.peer).circuit_open_until - timezone.now()).total_seconds()))
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600, 600]


@pytest.mark.parametrize("in_flight", [5, 6, 20, 200])
def test_failures_of_requests_that_were_under_way_open_the_circuit_for_the_first_pause(
    partner: Partner, in_flight: int
) -> None:
    seen = [fresh(partner.peer) for _ in range(in_flight)]
    now = timezone.now().replace(microsecond=0)
    for number, peer in enumerate(seen):
        circuit.record_failure(peer, now=now + timedelta(milliseconds=number))
    peer = fresh(partner.peer)
    assert peer.circuit_failures == circuit.FAILURES_TO_OPEN
    assert peer.circuit_open_until - now <= circuit.FIRST_PAUSE + timedelta(milliseconds=4)


def test_a_second_worker_that_reports_the_same_probe_makes_the_pause_no_longer(partner: Partner) -> None:
    open_circuit(partner)
    end_pause()
    probe = fresh(partner.peer)
    now = timezone.now().replace(microsecond=0)
    for _ in range(3):
        circuit.record_failure(probe, now=now)
    peer = fresh(partner.peer)
    assert (peer.circuit_failures, peer.circuit_open_until) == (6, now + 2 * circuit.FIRST_PAUSE)


def test_an_answer_between_makes_a_late_failure_the_first_again(partner: Partner) -> None:
    late, probe = fresh(partner.peer), fresh(partner.peer)
    open_circuit(partner)
    circuit.record_answer(probe, now=timezone.now())
    circuit.record_failure(late, now=timezone.now())
    peer = fresh(partner.peer)
    assert (peer.circuit_failures, peer.circuit_open_until) == (1, None)


def test_a_refusal_is_an_answer(partner: Partner) -> None:
    for _ in range(4):
        partner.answer(503)
        deliver_dispatch(partner.dispatch().pk)
    partner.answer(403)
    deliver_dispatch(partner.dispatch().pk)
    assert fresh(partner.peer).circuit_failures == 0


def test_other_peers_have_circuits_of_their_own(partner: Partner) -> None:
    open_circuit(partner)
    other = Peer.objects.create(server_url="https://other.example.org", state="approved")
    assert circuit.wait_until(other, now=timezone.now()) is None


def test_waiting_for_the_circuit_is_not_an_attempt(partner: Partner) -> None:
    open_circuit(partner)
    dispatch, callback = partner.dispatch(), owed_callback(partner)
    for _ in range(MAX_ATTEMPTS + 5):
        make_due(dispatch, callback)
        deliver_dispatch(dispatch.pk)
        deliver_callback(callback.pk)
    for row in (fresh(dispatch), fresh(callback)):
        assert (row.attempts, row.dead_at, row.lease_token) == (0, None, "")
    assert len(partner.requests) == 5

    end_pause()
    make_due(dispatch)
    deliver_dispatch(dispatch.pk)
    assert fresh(dispatch).status == "accepted"


def test_rows_that_wait_for_the_circuit_are_scattered_after_its_end(partner: Partner) -> None:
    open_circuit(partner)
    end = fresh(partner.peer).circuit_open_until
    waits = []
    for _ in range(8):
        dispatch = partner.dispatch()
        deliver_dispatch(dispatch.pk)
        waits.append((fresh(dispatch).due_at - end).total_seconds())
    assert all(0 <= wait <= 15 for wait in waits)
    # Two due times may be in one millisecond.
    assert len(set(waits)) > 4


def test_a_row_that_waits_for_the_circuit_keeps_the_error_of_its_last_attempt(partner: Partner) -> None:
    open_circuit(partner)
    for row in Dispatch.objects.all():
        make_due(row)
        deliver_dispatch(row.pk)
        found = fresh(row)
        assert (found.attempts, found.reason, found.last_error) == (1, CIRCUIT_OPEN, "HTTP 503: {}")


def test_a_row_past_its_horizon_is_given_up_although_the_circuit_never_closed(
    partner: Partner, settings: LazySettings
) -> None:
    open_circuit(partner)
    dispatch, callback = partner.dispatch(), owed_callback(partner)
    # Longer than a probe, whose answer could still release the rows.
    Peer.objects.update(circuit_open_until=timezone.now() + timedelta(minutes=10))
    for row in (dispatch, callback):
        since = timezone.now() - timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE)
        type(row)._default_manager.filter(pk=row.pk).update(tried_since=since)
    deliver_dispatch(dispatch.pk)
    deliver_callback(callback.pk)
    for row in (fresh(dispatch), fresh(callback)):
        assert (row.dead_at is None, row.due_at, row.attempts) == (False, None, 0)
        assert row.last_error == "not delivered within 23 hours; the peer did not answer other messages either"
    assert fresh(dispatch).status == "pending"
    assert len(partner.requests) == 5


def test_a_row_past_its_horizon_waits_for_the_probe_that_is_under_way(partner: Partner, settings: LazySettings) -> None:
    open_circuit(partner)
    end_pause()
    dispatch = partner.dispatch()
    Dispatch.objects.filter(pk=dispatch.pk).update(
        tried_since=timezone.now() - timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE)
    )
    assert circuit.wait_until(fresh(partner.peer), now=timezone.now()) is None
    deliver_dispatch(dispatch.pk)
    row = fresh(dispatch)
    assert (row.dead_at, row.attempts) == (None, 0)
    assert row.due_at > timezone.now() + timedelta(seconds=circuit.PROBE_SECONDS - 5)


def test_holding_a_row_is_not_an_attempt(partner: Partner) -> None:
    dispatch, callback = partner.dispatch(), owed_callback(partner)
    Peer.objects.update(state="suspended")
    deliver_dispatch(dispatch.pk)
    deliver_callback(callback.pk)
    assert [(row.attempts, row.due_at) for row in (fresh(dispatch), fresh(callback))] == [(0, None)] * 2
