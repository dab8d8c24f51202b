"""The kinds of events that apps declare, and how an event is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from core.jobs.queue import enqueue
from core.notifications.models import MAX_TEXT, Event
from core.store.unit_of_work import REGISTRY, after_commit

MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to record. `key` is unique and follows from what happened; `at` is None for now.

    `page` is the name of the address in the admin that shows the row `object_id`, if there is one. `text` is one
    sentence for people, and says nothing that a person who may see the row may not know.
    """

    kind: str
    key: str
    text: str
    federation_id: str = ""
    peer_id: str = ""
    page: str = ""
    object_id: str = ""
    at: datetime | None = None


def _found_none(since: datetime) -> Iterable[NewEvent]:
    return ()


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of events: its name in rules and webhooks, its title, and what to do about it.

    `seen_by(user, events)` returns the keys of those events of the kind that the user may see now. `missed(since)`
    returns the events that the registry's rows tell of since that time; they may have been recorded already.
    """

    key: str
    title: str
    remedy: str
    seen_by: Callable[[User, Sequence[Event]], set[str]]
    missed: Callable[[datetime], Iterable[NewEvent]] = _found_none


_kinds: dict[str, EventKind] = {}


def register_kind(kind: EventKind) -> None:
    """Declare a kind of events; an app does so in `AppConfig.ready`."""
    _kinds[kind.key] = kind


def all_kinds() -> list[EventKind]:
    """Return the declared kinds, in the order of their declaration."""
    return list(_kinds.values())


def find_kind(key: str) -> EventKind | None:
    """Return the kind with this key, or None for one that no app declares any more."""
    return _kinds.get(key)


def titles_of_kinds(text: str) -> str:
    """Return the titles of the kinds in a stored list, as JSON."""
    return ", ".join(kind.title if (kind := find_kind(key)) else str(key) for key in json.loads(text))


def record(*events: NewEvent) -> None:
    """Store events in the open unit of work; with a registry in another database, after its commit.

    An event that was recorded before is left as it is. A worker is nudged to tell the events at once.
    """
    if not events:
        return
    if REGISTRY == DEFAULT_DB_ALIAS:
        store_events(events)
    else:
        after_commit(store_events, events)
    enqueue("notifications.tell")


def in_key(moment: datetime) -> str:
    """Return a time for the key of an event: in whole milliseconds, which every database keeps."""
    return str(int(moment.timestamp()) * 1000 + moment.microsecond // 1000)


def store_events(events: Iterable[NewEvent]) -> None:
    """Store the events that are not stored yet, in the default database."""
    rows = [
        Event(
            kind=event.kind,
            key=event.key[:MAX_KEY],
            at=event.at or timezone.now(),
            federation_id=event.federation_id,
            peer_id=event.peer_id,
            page=event.page,
            object_id=event.object_id,
            text=one_line(event.text)[:MAX_TEXT],
        )
        for event in events
    ]
    Event.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)


def seen_by(user: User, events: Sequence[Event]) -> list[Event]:
    """Return those of `events` that `user` may see now, in their order; events of a forgotten kind are not shown."""
    keys: set[str] = set()
    for kind in all_kinds():
        if of_kind := [event for event in events if event.kind == kind.key]:
            keys |= kind.seen_by(user, of_kind)
    return [event for event in events if event.key in keys]


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters, which a mail's subject may not hold."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
