"""The invariants between two hubs after all rows are settled, whatever was killed: ids, rows and calls agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q

from peers.models import (
    Dispatch,
    HandlerEvent,
    InboundCallback,
    Intent,
    JournalEntry,
    OutboundCallback,
    ReceivedDispatch,
)
from tests.contract.peer_hubs import Hub
from tests.kills.points import calls_path, kill_log, read_lines

# MongoDB keeps times to the millisecond, cut off.
CLOCK_SECONDS = 0.001
# The acceptance, the handler's first step, and the end.
EVENTS = ("completed", "state_delta", "state_delta")


@dataclass(frozen=True, slots=True)
class Findings:
    """The counted rows, and one sentence for each violation."""

    rows: dict[str, int]
    violations: list[str]


def unsettled(hub: Hub) -> int:
    """Return the number of rows that still wait for a worker."""
    is_due = Q(due_at__isnull=False)
    return (
        hub.stored(Dispatch).filter(is_due | Q(finished_at=None)).count()
        + hub.stored(OutboundCallback).filter(is_due).count()
        + hub.stored(HandlerEvent).filter(is_due).count()
    )


def violations(sender: Hub, receiver: Hub, *, answered: Mapping[str, str], asked: Collection[str]) -> Findings:
    """Compare both hubs' rows with the sent ids and with the records of their handlers.

    `answered` are the intents of dispatches that were answered with 200; `asked` those of all requests.
    """
    dispatches = _table(sender, Dispatch)
    ids = {row["id"] for row in dispatches}
    found = [
        *_of_requests(dispatches, answered, asked),
        *_of_dispatches(sender, dispatches),
        *_of_receiver(receiver, ids),
        *_of_handlers(sender),
        *_of_handlers(receiver),
    ]
    events = [*_table(sender, HandlerEvent), *_table(receiver, HandlerEvent)]
    owed = _table(receiver, OutboundCallback)
    rows = {
        "dispatches": len(dispatches),
        "dispatches of requests without an answer": len(ids - set(answered)),
        "deliveries": sum(row["attempts"] for row in dispatches),
        "callbacks": len(owed),
        "callback deliveries": sum(row["attempts"] for row in owed),
        "handler events": len(events),
        "handler calls": sum(call["step"] == "begin" for hub in (sender, receiver) for call in _calls(hub)),
        "messages that still wait in the queues": sum(map(_waiting_messages, (sender, receiver))),
    }
    return Findings(rows, found)


def _of_requests(
    dispatches: list[dict[str, Any]], answered: Mapping[str, str], asked: Collection[str]
) -> Iterator[str]:
    stored = {row["id"]: row["intent_id"] for row in dispatches}
    for dispatch_id, intent_id in answered.items():
        if stored.get(dispatch_id) != intent_id:
            yield f"dispatch {dispatch_id} was answered with 200 and is not stored as such"
    for intent_id, count in Counter(stored.values()).items():
        if count > 1 or intent_id not in asked:
            yield f"{count} dispatches of one request for {intent_id}"


def _of_dispatches(sender: Hub, dispatches: list[dict[str, Any]]) -> Iterator[str]:
    callbacks: dict[str, list[str]] = defaultdict(list)
    for row in _table(sender, InboundCallback):
        callbacks[row["dispatch_id"]].append(row["event_type"] if row["is_applied"] else f"late {row['event_type']}")
    ends = Counter(
        row["dispatch_id"]
        for row in _table(sender, JournalEntry)
        if row["kind"] == "callback" and row["text"] == "completed"
    )
    for row in dispatches:
        about = f"dispatch {row['id']}"
        if (row["status"], row["dead_at"], row["due_at"]) != ("completed", None, None) or not row["finished_at"]:
            yield f"{about} is {row['status']}, dead {row['dead_at']}, due {row['due_at']}: {row['last_error']}"
            continue
        if tuple(sorted(callbacks[row["id"]])) != EVENTS or ends[row["id"]] != 1:
            yield f"{about} has the callbacks {callbacks[row['id']]}, and ended {ends[row['id']]} times"
        state = row["state"]
        if state.get("answer") != row["intent_id"] or not row["is_attested"]:
            yield f"{about} has the result {state}, attested {row['is_attested']}"


def _of_receiver(receiver: Hub, ids: Collection[str]) -> Iterator[str]:
    received = _table(receiver, ReceivedDispatch)
    intents = {row["id"]: row for row in _table(receiver, Intent)}
    owed: dict[str, list[str]] = defaultdict(list)
    for row in _table(receiver, OutboundCallback):
        owed[row["received_id"]].append(row["event_type"] if row["delivered_at"] else f"owed {row['event_type']}")
    counts = Counter(row["dispatch_id"] for row in received)
    for dispatch_id in set(ids) | set(counts):
        if counts[dispatch_id] != 1 or dispatch_id not in ids:
            yield f"dispatch {dispatch_id} was received {counts[dispatch_id]} times"
    if len(intents) != len(received):
        yield f"{len(intents)} intents for {len(received)} received dispatches"
    for row in received:
        intent = intents.get(row["intent_id"], {})
        if intent.get("status") != "completed" or not row["is_finished"]:
            yield f"the intent of {row['dispatch_id']} is {intent.get('status')}, finished {row['is_finished']}"
        if tuple(sorted(owed[row["id"]])) != EVENTS:
            yield f"the callbacks of {row['dispatch_id']} are {owed[row['id']]}"


def _of_handlers(hub: Hub) -> Iterator[str]:
    """Compare handler events with the calls: each event is finished, not called after that, and ended once.

    A kill between the end of the handler and its record makes the handler end once more.
    """
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in _calls(hub):
        calls[call["source_id"]].append(call)
    spoilt = Counter(
        line["subject"] for line in read_lines(kill_log(hub.folder)) if line["point"] == "event.after_call"
    )
    sources = {row["id"] for row in _table(hub, ReceivedDispatch)}
    sources |= {row["id"] for row in _table(hub, InboundCallback)}
    events = _table(hub, HandlerEvent)
    for source_id, count in Counter(row["source_id"] for row in events).items():
        if count != 1:
            yield f"{hub.name}: {count} handler events of {source_id}"
    if missing := sources - {row["source_id"] for row in events}:
        yield f"{hub.name}: no handler event of {sorted(missing)}"
    for row in events:
        begins = [call for call in calls[row["source_id"]] if call["step"] == "begin"]
        ends = [call for call in calls[row["source_id"]] if call["step"] == "end"]
        attempts = [call["attempt"] for call in begins]
        about = f"{hub.name}: handler event {row['id']}"
        if row["dead_at"] or not row["finished_at"]:
            yield f"{about} is not finished: {row['last_error']}"
            continue
        if not begins or len(set(attempts)) != len(attempts):
            yield f"{about} was called for the attempts {attempts}"
        if len(ends) != 1 + spoilt[row["id"]]:
            yield f"{about} ended {len(ends)} times, with {spoilt[row['id']]} kills before that was recorded"
        if any(call["at"] > row["finished_at"].timestamp() + CLOCK_SECONDS for call in begins):
            yield f"{about} was called after it had finished"


def _waiting_messages(hub: Hub) -> int:
    """Count the messages of a hub's file broker: after the last row is settled, only a few are left."""
    return sum(1 for _ in (hub.folder / "broker" / "queue").rglob("*.msg"))


def _table(hub: Hub, model: type[Model]) -> list[dict[str, Any]]:
    return list(hub.stored(model).order_by("pk").values())


def _calls(hub: Hub) -> list[dict[str, Any]]:
    return read_lines(calls_path(hub.folder))
