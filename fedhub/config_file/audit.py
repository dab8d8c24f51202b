"""The audit log of an apply: each entry names the actor, and objects whose services write no entry get one here.

These objects are groups, registered agents, and the settings of discovered agents.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

from auditlog.context import set_extra_data
from auditlog.models import LogEntry
from django.db.models import Model

from core.actors import Actor
from fedhub.config_file.plan import CREATE, DELETE, Change, plain

_ACTIONS = {CREATE: LogEntry.Action.CREATE, DELETE: LogEntry.Action.DELETE}


def entries_by(actor: Actor) -> AbstractContextManager[None]:
    """Name the actor in each entry of the audit log that this thread writes in the block. The actor is not a user."""
    return cast("AbstractContextManager[None]", set_extra_data({"additional_data": {"by": actor.name}}))


def record(row: Model, change: Change) -> None:
    """Record a change of `row` with its fields, in the open transaction."""
    changes = {each.field: (_text(each.before), _text(each.after)) for each in change.fields}
    action = _ACTIONS.get(change.action, LogEntry.Action.UPDATE)
    LogEntry.objects.log_create(row, force_log=True, action=action, changes=changes)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(plain(value))
