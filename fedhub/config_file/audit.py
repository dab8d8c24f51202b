"""Entries of the audit log for objects whose services write none: groups, registered agents, agents' settings."""

from __future__ import annotations

from auditlog.models import LogEntry
from django.db.models import Model

from core.actors import Actor
from fedhub.config_file.plan import CREATE, DELETE, Change, plain

_ACTIONS = {CREATE: LogEntry.Action.CREATE, DELETE: LogEntry.Action.DELETE}


def record(row: Model, change: Change, *, by: Actor) -> None:
    """Record a change of `row` with its fields, in the open transaction."""
    changes = {each.field: (_text(each.before), _text(each.after)) for each in change.fields}
    action = _ACTIONS.get(change.action, LogEntry.Action.UPDATE)
    LogEntry.objects.log_create(row, force_log=True, action=action, changes=changes, additional_data={"by": by.name})


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(plain(value))
