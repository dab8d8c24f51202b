"""The events between hubs that people are notified of: waiting peers, changed keys, work for staff, dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from core.notifications.events import EventKind, NewEvent, in_key, record
from core.notifications.models import Event
from core.store.unit_of_work import after_commit
from peers.models import (
    Dispatch,
    HandlerEvent,
    JournalEntry,
    JournalKind,
    KeyOrigin,
    OutboundCallback,
    Peer,
    PeerKey,
    PeerState,
    ReceivedDispatch,
    TakenBy,
)

PEER_WAITING, KEY_CHANGED, WORK_BY_HAND, DEAD_LETTER = "peer.waiting", "key.changed", "work.by_hand", "dead_letter"
MESSAGE_REFUSED = "message.refused"
NOT_PROVED = "the sender is not proved"
"""What a journal line about a message says whose sender no proof shows."""
MAX_MISSED = 1000
MAX_TOLD = 10_000
# The keys of stored events about work for staff and refused messages, so that the further ones of the time write none.
_told: set[str] = set()


def note_proposal(peer: Peer) -> None:
    """Record that an unknown peer waits for a decision of staff, in the open unit of work."""
    record(_proposal(peer))


def note_new_key(key: PeerKey) -> None:
    """Record that an approved peer has a new key which staff did not type."""
    if key.peer.state == PeerState.APPROVED and key.origin != KeyOrigin.ENTERED:
        record(_new_key(key))


def note_withdrawal(key: PeerKey) -> None:
    """Record that an approved peer withdrew a key."""
    if key.peer.state == PeerState.APPROVED:
        record(*_withdrawal(key))


def note_work_by_hand(received: Sequence[ReceivedDispatch]) -> None:
    """Record that work which neither an agent nor a handler takes waits for staff: once for each peer and hour.

    A peer may send hundreds of dispatches in a second, and one event says as much as all.
    """
    events = [
        each for each in _by_hand(row for row in received if row.taken_by == TakenBy.STAFF) if each.key not in _told
    ]
    if events:
        record(*events)
        after_commit(_remember, [each.key for each in events])


def forget_all() -> None:
    """Forget which events this process has stored, as a new process does."""
    _told.clear()


def _remember(keys: Iterable[str]) -> None:
    if len(_told) > MAX_TOLD:
        _told.clear()
    _told.update(keys)


def note_dead_letter(row: Dispatch | OutboundCallback | HandlerEvent, error: str, *, now: datetime) -> None:
    """Record that the hub has given up a message or a call of a handler."""
    record(_dead_letter(row, error, now))


def note_refusals(lines: Iterable[JournalEntry]) -> None:
    """Record, in the open unit of work, that the hub refused a message of a proven peer: once for each peer and day."""
    events = [each for each in _refusals(lines) if each.key not in _told]
    if events:
        record(*events)
        after_commit(_remember, [each.key for each in events])


def events_of_refusals() -> QuerySet[Event]:
    """Return the events of the last day that tell of refused messages of proven peers: one for each peer and day."""
    return Event.objects.filter(kind=MESSAGE_REFUSED, at__gte=timezone.now() - timedelta(days=1))


def was_refused_lately() -> Q:
    """Return the condition that the hub refused a message of a peer within a day."""
    # The events may lie in another database than the peers. Django leaves a whole aggregate out, with all its numbers,
    # where one of its conditions is in an empty list.
    return Q(pk__in=["", *events_of_refusals().values_list("peer_id", flat=True)])


def _of_peer(kind: str, key: str, peer: Peer, text: str, at: datetime) -> NewEvent:
    page = "admin:peers_peer_change"
    return NewEvent(kind, f"{kind} {key}", text, peer_id=peer.pk, page=page, object_id=peer.pk, at=at)


def _proposal(peer: Peer) -> NewEvent:
    return _of_peer(PEER_WAITING, peer.pk, peer, f"The hub {peer.server_url} waits for a decision", peer.created_at)


def _new_key(key: PeerKey) -> NewEvent:
    return _of_peer(KEY_CHANGED, key.pk, key.peer, f"{key.peer} has a new key: {key.fingerprint}", key.created_at)


def _withdrawal(key: PeerKey) -> Iterator[NewEvent]:
    if key.withdrawn_at is not None:
        name, text = f"{key.pk} {in_key(key.withdrawn_at)}", f"{key.peer} withdrew the key {key.fingerprint}"
        yield _of_peer(KEY_CHANGED, name, key.peer, text, key.withdrawn_at)


def _by_hand(rows: Iterable[ReceivedDispatch]) -> Iterator[NewEvent]:
    told = set()
    for row in rows:
        key = f"{WORK_BY_HAND} {row.peer_id} {row.received_at:%Y-%m-%dT%H}"
        if key not in told:
            told.add(key)
            yield NewEvent(
                WORK_BY_HAND,
                key,
                f"Work of {row.peer} waits for staff; further work of this hour is not told",
                peer_id=row.peer_id,
                page="admin:peers_receiveddispatch_change",
                object_id=row.pk,
                at=row.received_at,
            )


def _dead_letter(row: Dispatch | OutboundCallback | HandlerEvent, error: str, at: datetime) -> NewEvent:
    what, peer_id = "A handler event", ""
    if isinstance(row, Dispatch):
        what, peer_id = f"The dispatch to {row.target_server}", row.peer_id or ""
    elif isinstance(row, OutboundCallback):
        what, peer_id = f"A callback to {row.peer}", row.peer_id
    return NewEvent(
        DEAD_LETTER,
        f"{DEAD_LETTER} {row.pk} {in_key(at)}",
        f"{what} was given up: {error}",
        peer_id=peer_id,
        page=_page_of(type(row)),
        object_id=row.pk,
        at=at,
    )


def _refusals(lines: Iterable[JournalEntry]) -> Iterator[NewEvent]:
    # The first line of a day, whatever their order, so that the sweep finds the same event.
    first: dict[tuple[str, str], JournalEntry] = {}
    for line in sorted(lines, key=lambda line: (line.at, line.pk)):
        first.setdefault((line.peer_url, f"{line.at:%Y-%m-%d}"), line)
    urls = {url for url, _ in first}
    peers = {peer.server_url: peer for peer in Peer.objects.filter(server_url__in=urls)} if urls else {}
    for (url, day), line in first.items():
        if url in peers:
            yield NewEvent(
                MESSAGE_REFUSED,
                f"{MESSAGE_REFUSED} {peers[url].pk} {day}",
                f"The hub refused a message of {peers[url]}; further ones of this day are not told",
                peer_id=peers[url].pk,
                page=_page_of(JournalEntry),
                object_id=line.pk,
                at=line.at,
            )


def _page_of(model: type[Model]) -> str:
    return f"admin:peers_{model._meta.model_name}_change"


# What the sweep finds of a registry in a database of its own ---------------------------------------------------------
def _missed_proposals(since: datetime) -> Iterable[NewEvent]:
    rows = Peer.objects.filter(state=PeerState.PROPOSED, created_at__gte=since).exclude(proposed_from="")
    return [_proposal(peer) for peer in rows.order_by("created_at", "pk")[:MAX_MISSED]]


def _missed_keys(since: datetime) -> Iterator[NewEvent]:
    keys = PeerKey.objects.filter(peer__state=PeerState.APPROVED).select_related("peer")
    new = keys.filter(created_at__gte=since).exclude(origin=KeyOrigin.ENTERED).order_by("created_at", "pk")
    yield from (_new_key(key) for key in new[:MAX_MISSED] if key.created_at > _approved_at(key.peer))
    for key in keys.filter(withdrawn_at__gte=since).order_by("withdrawn_at", "pk")[:MAX_MISSED]:
        yield from _withdrawal(key)


def _approved_at(peer: Peer) -> datetime:
    """Return the time of the last decision about a peer; the keys from before it are not changes."""
    last = peer.decisions.order_by("-decided_at").first()
    return last.decided_at if last else peer.created_at


def _missed_work(since: datetime) -> Iterator[NewEvent]:
    rows = ReceivedDispatch.objects.filter(taken_by=TakenBy.STAFF, received_at__gte=since).select_related("peer")
    return _by_hand(rows.order_by("received_at", "pk")[:MAX_MISSED])


def _missed_dead(since: datetime) -> Iterator[NewEvent]:
    models: tuple[Any, ...] = (Dispatch, OutboundCallback, HandlerEvent)
    for model in models:
        rows = model._default_manager.filter(dead_at__gte=since).order_by("dead_at", "pk")
        for row in (rows.select_related("peer") if model is OutboundCallback else rows)[:MAX_MISSED]:
            yield _dead_letter(row, row.last_error, row.dead_at)


def _missed_refusals(since: datetime) -> Iterator[NewEvent]:
    lines = JournalEntry.objects.filter(kind=JournalKind.REFUSED, at__gte=since).exclude(peer_url="")
    rows = lines.exclude(text__contains=NOT_PROVED).order_by("at", "pk")[:MAX_MISSED]
    return _refusals(rows)


# Who sees which event ------------------------------------------------------------------------------------------------
def _see_peers(user: User, events: Sequence[Event]) -> set[str]:
    return {event.key for event in events} if user.has_perm("peers.view_peer") else set()


def _see_received(user: User, events: Sequence[Event]) -> set[str]:
    return {event.key for event in events} if user.has_perm("peers.view_receiveddispatch") else set()


def _see_journal(user: User, events: Sequence[Event]) -> set[str]:
    return {event.key for event in events} if user.has_perm("peers.view_journalentry") else set()


def _see_dead(user: User, events: Sequence[Event]) -> set[str]:
    models = (Dispatch, OutboundCallback, HandlerEvent)
    pages = {_page_of(model) for model in models if user.has_perm(f"peers.view_{model._meta.model_name}")}
    return {event.key for event in events if event.page in pages}


KINDS = (
    EventKind(
        PEER_WAITING,
        "A peer waits",
        "Compare the key's fingerprint with the staff of the other hub, then approve or reject the peer.",
        _see_peers,
        _missed_proposals,
    ),
    EventKind(
        KEY_CHANGED,
        "A peer's key changed",
        "Ask the staff of the other hub whether they changed it, before you approve a key.",
        _see_peers,
        _missed_keys,
    ),
    EventKind(
        WORK_BY_HAND,
        "Received work has no agent and waits for staff",
        "Open the received dispatch, and answer or refuse the work.",
        _see_received,
        _missed_work,
    ),
    EventKind(
        DEAD_LETTER, "A message was given up", "See the error; try it again, or put it away.", _see_dead, _missed_dead
    ),
    EventKind(
        MESSAGE_REFUSED,
        "A message of a peer was refused",
        "Open the refusal: its page names the cause, and leads to what you can change.",
        _see_journal,
        _missed_refusals,
    ),
)
