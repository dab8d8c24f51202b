"""The circuit breaker of a peer."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from peers.models import Dispatch, Peer
from peers.services import circuit
from peers.services.delivery import deliver_dispatch
from tests.unit.peers.delivery.conftest import Partner, fresh, make_due


def open_circuit(partner: Partner) -> None:
    """Let five deliveries in a row find the peer down."""
    for _ in range(circuit.FAILURES_TO_OPEN):
        partner.answer(503)
        deliver_dispatch(partner.dispatch().pk)
    assert len(partner.requests) == circuit.FAILURES_TO_OPEN


def end_pause() -> None:
    """Let the open circuit's time be over."""
    Peer.objects.update(circuit_open_until=timezone.now() - timedelta(seconds=1))


def test_after_five_failures_nothing_is_sent_for_a_while(partner: Partner) -> None:
    open_circuit(partner)
    dispatch = partner.dispatch()
    deliver_dispatch(dispatch.pk)
    assert len(partner.requests) == 5
    row = fresh(dispatch)
    assert row.due_at >= fresh(partner.peer).circuit_open_until
    assert row.reason == "the peer does not answer; waiting before the next try"


def test_one_probe_goes_out_and_its_answer_wakes_what_waited(partner: Partner) -> None:
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


def test_a_refusal_is_an_answer(partner: Partner) -> None:
    for _ in range(4):
        partner.answer(503)
        deliver_dispatch(partner.dispatch().pk)
    partner.answer(403)
    deliver_dispatch(partner.dispatch().pk)
    assert fresh(partner.peer).circuit_failures == 0


def test_other_peers_are_not_concerned(partner: Partner) -> None:
    open_circuit(partner)
    other = Peer.objects.create(server_url="https://other.example.org", state="approved")
    assert circuit.wait_until(other, now=timezone.now()) is None


def test_waiting_for_the_circuit_uses_up_attempts_too(partner: Partner) -> None:
    open_circuit(partner)
    dispatch = partner.dispatch()
    for attempts in (1, 2):
        make_due(dispatch)
        deliver_dispatch(dispatch.pk)
        assert fresh(dispatch).attempts == attempts
