"""The circuit breaker: a peer that does not answer gets no requests for a while, then one request as a probe.

The state of a circuit is two columns of the peer's row. Five failures in a row open the circuit; while it is open the
hub sends nothing to the peer. After the pause one request goes out as a probe, chosen by compare-and-set: an answer
closes the circuit and makes the waiting rows due, a failure opens the circuit for longer. Requests that were under way
when the circuit opened change nothing by their failures: each of them may fail for the reason that opened it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from core.jobs.queue import enqueue
from peers.models import Dispatch, DispatchState, OutboundCallback, Peer

FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
PROBE_SECONDS = 30


def wait_until(peer: Peer, *, now: datetime) -> datetime | None:
    """Return when the caller should ask again; None if the caller may send to the peer now, perhaps as the probe."""
    if peer.circuit_failures < FAILURES_TO_OPEN:
        return None
    if peer.circuit_open_until is not None and peer.circuit_open_until > now:
        return peer.circuit_open_until
    probe_end = now + timedelta(seconds=PROBE_SECONDS)
    same = Peer.objects.filter(pk=peer.pk, circuit_open_until=peer.circuit_open_until)
    return None if same.update(circuit_open_until=probe_end) else probe_end


def record_failure(peer: Peer, *, now: datetime) -> None:
    """Count a request without an answer; the fifth in a row opens the circuit, and only a failed probe opens it longer.

    `peer` is the peer's row as it was before the request. A request that was under way when the circuit opened may fail
    for the reason that opened the circuit, so its failure is not counted.
    """
    row, failures = Peer.objects.filter(pk=peer.pk), peer.circuit_failures
    if failures >= FAILURES_TO_OPEN:
        # The request was the probe. If the number has changed, an answer or another probe has decided since.
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures + 1 - FAILURES_TO_OPEN, 10))
        row.filter(circuit_failures=failures).update(circuit_failures=failures + 1, circuit_open_until=now + pause)
        return
    row.filter(circuit_failures__lt=FAILURES_TO_OPEN).update(circuit_failures=F("circuit_failures") + 1)
    row.filter(circuit_failures=FAILURES_TO_OPEN, circuit_open_until=None).update(circuit_open_until=now + FIRST_PAUSE)


def record_answer(peer: Peer, *, now: datetime) -> None:
    """Close the circuit of a peer that has answered; make the peer's waiting rows due unless it asked for a pause."""
    row = Peer.objects.filter(pk=peer.pk)
    is_closed = row.filter(circuit_failures__gte=FAILURES_TO_OPEN).update(circuit_failures=0, circuit_open_until=None)
    row.filter(circuit_failures__gt=0).update(circuit_failures=0)
    if is_closed and not row.filter(paused_until__gt=now).exists():
        make_due(peer, now=now)


def close(peer: Peer) -> bool:
    """Forget the failures of a peer, in the caller's unit of work; tell whether there were any."""
    failed = Peer.objects.filter(pk=peer.pk, circuit_failures__gt=0)
    return bool(failed.update(circuit_failures=0, circuit_open_until=None))


def make_due(peer: Peer, *, now: datetime) -> int:
    """Make the peer's waiting messages due, in the caller's unit of work; return their number."""
    # The due time of a row with a lease token is the end of the worker's lease.
    waiting = {"peer": peer, "due_at__gt": now, "lease_token": "", "dead_at": None}
    number = Dispatch.objects.filter(status=DispatchState.PENDING, **waiting).update(due_at=now)
    number += OutboundCallback.objects.filter(**waiting).update(due_at=now)
    enqueue("peers.sweep")
    return number
