"""What of the messages between hubs goes when it is old.

Theory of operation. The row of a received dispatch refuses a copy of its envelope. An old copy is refused by its
`created_at` too, because FEDHUB_KEEP_DAYS is longer than the longest FEDHUB_ENVELOPE_MAX_AGE, so the row may go. An
unsigned message may have no `created_at`: its row alone refuses a copy, so the prune empties it and keeps its ids.
Nonces are deleted by the sweep, when their signatures have expired.

A row stays while a part of its work is open: a callback that is not delivered, a handler event, a run, a dead letter
that staff did not put away. It also stays, as long as its receipt, where a receipt is not signed by both hubs or their
books differ: then people may have to compare them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from core.retention.kinds import EVIDENCE, Keys, Kind, always
from federations.models import AgentRun, AgentRunEvent
from federations.runs.states import RunSource
from federations.services.retention import ended_runs
from peers.models import (
    CheckpointStanding,
    Dispatch,
    DispatchReceipt,
    FailedDeliveries,
    HandlerEvent,
    InboundCallback,
    Intent,
    IssuedDelegation,
    JournalEntry,
    LogBatch,
    OutboundCallback,
    Peer,
    PeerAgent,
    PeerCheckpoint,
    PeerToken,
    ReceiptStanding,
    ReceivedDispatch,
    SeenNonce,
)
from peers.models.dispatches import FINAL_STATES
from peers.services.trust.log_pruning import prunable_entries, prune_log

WITH_DISPATCH, WITH_LOG = "with their dispatch", "with the entries that they cover"


def _ended_events(cutoff: datetime) -> Q:
    return Q(finished_at__lt=cutoff) | Q(put_away_at__lt=cutoff)


# Sent dispatches ----------------------------------------------------------------------------------------------------
def _ended_dispatches(cutoff: datetime) -> Q:
    """Return the condition of the dispatches that ended, and of the dead letters that staff put away."""
    ended = Q(status__in=FINAL_STATES, finished_at__lt=cutoff, dead_at__isnull=True)
    return ended | Q(put_away_at__lt=cutoff)


def _needed_dispatches(keys: Keys, cutoff: datetime) -> set[Any]:
    valid = IssuedDelegation.objects.filter(dispatch_id__in=keys, expires_at__gte=timezone.now()).order_by()
    unsigned = _unsigned_receipts(keys, is_sent=True)
    return {*_open_events(cutoff), *valid.values_list("dispatch_id", flat=True), *(name for _, name in unsigned)}


def _delete_dispatches(keys: Keys, cutoff: datetime) -> int:
    rows = Dispatch.objects.filter(pk__in=keys).order_by()
    intents = set(rows.values_list("intent_id", flat=True))
    rows.only("pk").delete()
    _delete_intents(intents, cutoff)
    return len(keys)


# Received dispatches ------------------------------------------------------------------------------------------------
def _finished(cutoff: datetime) -> Q:
    return Q(is_finished=True)


def _needed_received(keys: Keys, cutoff: datetime) -> set[Any]:
    """Return the received dispatches of which a part is open, or ended after the cutoff."""
    rows = ReceivedDispatch.objects.filter(pk__in=keys).order_by()
    names = {(peer, name): key for key, peer, name in rows.values_list("pk", "peer_id", "dispatch_id")}
    unsigned = _unsigned_receipts([name for _, name in names], is_sent=False)
    events = _open_events(cutoff)
    callbacks = OutboundCallback.objects.filter(received_id__in=keys).order_by()
    is_open = Q(delivered_at__isnull=True, put_away_at__isnull=True) | Q(created_at__gte=cutoff)
    touched = rows.filter(intent__updated_at__gte=cutoff)
    runs = AgentRun.objects.filter(dispatch_id__in=keys, source=RunSource.PEER.value).order_by()
    return {
        *(names[place] for place in unsigned if place in names),
        *(key for (_, name), key in names.items() if name in events),
        *callbacks.filter(is_open | Q(delivered_at__gte=cutoff)).values_list("received_id", flat=True),
        *touched.values_list("pk", flat=True),
        # The runs go first. One that is left has not ended, or ended after the cutoff.
        *runs.values_list("dispatch_id", flat=True),
    }


def _delete_received(keys: Keys, cutoff: datetime) -> int:
    rows = ReceivedDispatch.objects.filter(pk__in=keys).order_by()
    intents = set(rows.values_list("intent_id", flat=True))
    rows.only("pk").delete()
    _delete_intents(intents, cutoff)
    return len(keys)


def _empty_received(keys: Keys, cutoff: datetime) -> int:
    """Delete the contents of rows whose ids alone refuse a copy of their messages."""
    rows = ReceivedDispatch.objects.filter(pk__in=keys).order_by()
    intents = set(rows.values_list("intent_id", flat=True))
    rows.update(envelope={}, scope={}, policy={}, delegation="", intent=None, emptied_at=timezone.now())
    _delete_intents(intents, cutoff)
    return len(keys)


def _delete_intents(ids: Collection[str | None], cutoff: datetime) -> None:
    """Delete those of the intents that no dispatch of either direction has any more, and that nothing changed since."""
    sent = Dispatch.objects.filter(intent_id__in=ids).order_by().values_list("intent_id", flat=True)
    received = ReceivedDispatch.objects.filter(intent_id__in=ids).order_by().values_list("intent_id", flat=True)
    free = {key for key in ids if key} - set(sent) - {str(key) for key in received}
    Intent.objects.filter(pk__in=free, updated_at__lt=cutoff).only("pk").delete()


# Both directions ----------------------------------------------------------------------------------------------------
def _unsigned_receipts(names: Collection[str], *, is_sent: bool) -> set[tuple[str, str]]:
    """Return the peer and the dispatch id of the receipts that are not signed by both hubs as one book."""
    peers = list(Peer.objects.order_by().values_list("pk", flat=True))
    rows = DispatchReceipt.objects.filter(peer_id__in=peers, is_sent=is_sent, dispatch_id__in=names).order_by()
    return set(rows.exclude(standing=ReceiptStanding.BOTH).values_list("peer_id", "dispatch_id"))


def _open_events(cutoff: datetime) -> set[str]:
    """Return the dispatch ids of the handler events that are older than the cutoff and still stored: the open ones."""
    rows = HandlerEvent.objects.filter(created_at__lt=cutoff).order_by()
    return set(rows.values_list("dispatch_id", flat=True))


def _open_works(keys: Keys, cutoff: datetime) -> set[Any]:
    """Return the runs whose received dispatch is not finished."""
    works = dict(AgentRun.objects.filter(pk__in=keys).order_by().values_list("pk", "dispatch_id"))
    rows = ReceivedDispatch.objects.filter(pk__in=works.values(), is_finished=False).order_by()
    is_open = set(rows.values_list("pk", flat=True))
    return {key for key, dispatch_id in works.items() if dispatch_id in is_open}


# The order matters: a dispatch stays while an event, a run or an unsigned receipt of it is left.
KINDS: Sequence[Kind] = (
    Kind(
        "handler_events", "Handler events", "after their end, or after staff put them away",
        HandlerEvent, "created_at", _ended_events,
    ),
    Kind(
        "peer_runs", "Runs for peers", "after the end of the work",
        AgentRun, "created_at", ended_runs, among=Q(source=RunSource.PEER.value), needed=_open_works,
        below=[(AgentRunEvent, "run")],
    ),
    # Small, and signed by both hubs: what a bill or a dispute is about, long after the work.
    Kind(
        "receipts", "Receipts", "evidence, so four times as long as work",
        DispatchReceipt, "made_at", always, times=EVIDENCE,
    ),
    Kind(
        "dispatches", "Dispatches", "after their end; later where a receipt lacks a signature or the books differ",
        Dispatch, "created_at", _ended_dispatches, needed=_needed_dispatches,
        below=[(InboundCallback, "dispatch"), (IssuedDelegation, "dispatch")], delete=_delete_dispatches,
    ),
    Kind(
        "received_dispatches", "Received dispatches",
        "after the end of the work and the last callback; later where a receipt lacks a signature or the books differ",
        ReceivedDispatch, "received_at", _finished, among=Q(has_time=True), needed=_needed_received,
        below=[(OutboundCallback, "received")], delete=_delete_received,
    ),
    Kind(
        "undated_dispatches", "Received dispatches without a time",
        "their contents go like those of the others; their ids stay, because nothing else refuses a copy",
        ReceivedDispatch, "received_at", _finished, among=Q(has_time=False, emptied_at__isnull=True),
        needed=_needed_received, below=[(OutboundCallback, "received")], delete=_empty_received,
    ),
    Kind("inbound_callbacks", "Inbound callbacks", WITH_DISPATCH, InboundCallback, "received_at"),
    Kind("outbound_callbacks", "Outbound callbacks", WITH_DISPATCH, OutboundCallback, "created_at"),
    Kind("intents", "Intents", "with their last dispatch; one that was never sent stays", Intent, "created_at"),
    Kind("nonces", "Nonces", "when their signatures have expired, by the sweep", SeenNonce, "expires_at"),
    Kind("peer_agents", "Agents of peers", "with the peer's next list", PeerAgent),
    Kind(
        "failed_deliveries", "Failed deliveries by day", "after their day", FailedDeliveries, "day", always,
    ),
    Kind("peer_tokens", "Tokens of peers", "after their end", PeerToken, "expires_at", always),
    Kind(
        "checkpoints", "Checkpoints of peers", "evidence, so four times as long as work; the newest one and forks stay",
        PeerCheckpoint, "received_at", lambda cutoff: Q(standing=CheckpointStanding.KEPT), times=EVIDENCE,
    ),
    Kind(
        "journal", "Journal", "when the log has named the sealed lines that go, and the peers hold that",
        JournalEntry, "at", prunable_entries, take=prune_log,
    ),
    Kind("log_batches", "Batches of the federation log", WITH_LOG, LogBatch),
)  # fmt: skip
