"""The audit log as a book of the Activity: its rows in the words of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditlog.models import LogEntry
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from core.activity.lines import THE_HUB, Line, Window
from core.activity.sources import AnyUser, Source, key_of, links_of, part_of, window_of, words_of
from core.activity.words import changes_in_words

VERBS: Mapping[int, str] = {
    LogEntry.Action.CREATE: "Added",
    LogEntry.Action.UPDATE: "Changed",
    LogEntry.Action.DELETE: "Deleted",
    LogEntry.Action.ACCESS: "Looked at",
}
SOME_FIELDS = 3


def read_audit_log(row: Model, user: AnyUser, window: Window) -> Sequence[Line]:
    """Return the lines of a window about a row; whoever sees the object sees how it came to be as it is."""
    label, key = key_of(row)
    found = ContentType.objects.get_by_natural_key(*label.split("."))
    rows = LogEntry.objects.filter(content_type=found, object_pk=key).select_related("actor")
    return [line_of(entry) for entry in window_of(rows, AUDIT_LOG.name, "timestamp", window)]


AUDIT_LOG = Source("audit", read_audit_log)


def line_of(entry: LogEntry) -> Line:
    """Return the line of a row of the audit log."""
    data: Mapping[str, Any] = entry.additional_data or {}
    part, changes = _model_of(str(data.get("part", ""))), entry.changes or {}
    told = tuple(changes_in_words(changes, words_of(part or _kind(entry).model_class(), list(changes))))
    subject = f"{part_of(part)}: {entry.object_repr}" if part else ", ".join(each.title for each in told[:SOME_FIELDS])
    more = f" and {len(told) - SOME_FIELDS} more" if len(told) > SOME_FIELDS and not part else ""
    is_update = entry.action == LogEntry.Action.UPDATE
    return Line(
        at=entry.timestamp,
        source=AUDIT_LOG.name,
        key=str(entry.pk),
        who=who_of(entry, data),
        what=f"{VERBS[entry.action]} {subject}{more}" if is_update or part else VERBS[entry.action],
        changes=told,
        reason=str(data.get("reason", "")),
        belongs_to=tuple(links_of(data)),
        request_id=entry.cid or "",
        tells=str(data.get("tells", "")),
    )


def kind_of(entry: LogEntry) -> str:
    """Return what kind of object a row of the audit log is about."""
    kind = _kind(entry)
    model = kind.model_class()
    return str(model._meta.verbose_name) if model else kind.model


def changes_text(entry: LogEntry) -> str:
    """Return the changes of a row of the audit log in one line."""
    return "; ".join(f"{each.title}: {each.before} → {each.after}" for each in line_of(entry).changes)


def _kind(entry: LogEntry) -> ContentType:
    # From Django's memory: the row's own attribute would be a query for each line.
    return ContentType.objects.get_for_id(entry.content_type_id)


def _model_of(label: str) -> type[Model] | None:
    try:
        return apps.get_model(label) if label else None
    except LookupError:
        return None


def who_of(entry: LogEntry, data: Mapping[str, Any]) -> str:
    """Return who made a change: a person, a person through a program, a command, or the hub itself."""
    name = data.get("by") or (entry.actor.get_username() if entry.actor else "") or THE_HUB
    program = data.get("program")
    return f"{name}, by the program {program}" if program else str(name)
