"""Rows of the audit log: who, through which program, why, in which request and for which job.

django-auditlog writes a row where a model's row is saved or deleted. `complete` adds the rest to each of them. Services
that change rows by compare-and-set statements, which send no signal, call `record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from core.acting import acting, name_actor
from core.actors import Actor
from core.log_ids import log_ids

Change = tuple[object, object]
OWNER_IDS = ("job_id", "run_id", "dispatch_id", "plan_id")
MASK = "••••"
CREATE, UPDATE, DELETE = LogEntry.Action.CREATE, LogEntry.Action.UPDATE, LogEntry.Action.DELETE
BATCH = 500


def request_id() -> str | None:
    """Return the id of the request, for the audit log's own column (AUDITLOG_CID_GETTER)."""
    return log_ids().get("request_id")


def masked(value: str) -> str:
    """Return what the audit log has in the place of a secret: not even its length."""
    return MASK if value and value != "None" else ""


def complete(sender: object, instance: LogEntry, **_: object) -> None:
    """Add the actor and the further facts to a row that is not stored yet. A receiver of `pre_save`."""
    if instance.pk is not None:
        return
    now, data = acting(), dict(instance.additional_data or {})
    actor = now.find() if "by" not in data and instance.actor_id is None else None
    if actor is not None:
        data["by"] = actor.name
        instance.actor_id = int(actor.id) if actor.id.isdecimal() else None
    data |= {name: value for name, value in log_ids().items() if name in OWNER_IDS and name not in data}
    for name, value in (("program", now.program), ("reason", now.reason)):
        if value and name not in data:
            data[name] = value
    instance.remote_addr = instance.remote_addr or now.address or None
    instance.additional_data = data or None
    _move_to_owner(instance, data)


def leave_out_deleted(sender: object, instance: AbstractBaseUser, **_: object) -> None:
    """Keep only the name of a person who deletes their own account. A receiver of `pre_delete`.

    A row that refers to the account would otherwise stand against its deletion.
    """
    found = acting().find()
    if found is not None and found.id == str(instance.pk):
        name_actor(Actor("", found.name), acting().program)


def record(
    row: Model,
    changes: Mapping[str, Change],
    *,
    by: Actor | None = None,
    reason: str = "",
    action: int = UPDATE,
    at: datetime | None = None,
    **facts: str,
) -> None:
    """Write a row of the audit log in the open transaction; without changes of a stored row it writes nothing.

    Without `by` the one who acts in this request or command is the actor.
    `facts` are further values of the row, such as `job_id`, or `tells`: the line of another book that this one tells
    with more.
    """
    if changes or action != UPDATE:
        facts = {"by": by.name if by else "", "reason": reason.strip(), **facts}
        entry = _entry(row, str(row.pk), changes, facts, action=action, actor_id=_user_key(by), at=at)
        entry.save(force_insert=True)


def record_all(rows: Mapping[str, tuple[Model, Mapping[str, Change]]], *, by: Actor | None = None) -> None:
    """Write a row of the audit log for each of many objects, by the key under which the log has the object."""
    actor_id, entries = _user_key(by), []
    for key, (row, changes) in rows.items():
        entries.append(_entry(row, key, changes, {"by": by.name if by else ""}, actor_id=actor_id))
        complete(LogEntry, entries[-1])
    LogEntry.objects.bulk_create(entries, batch_size=BATCH)


def _entry(
    row: Model,
    key: str,
    changes: Mapping[str, Change],
    facts: Mapping[str, str],
    *,
    actor_id: int | None,
    action: int = UPDATE,
    at: datetime | None = None,
) -> LogEntry:
    return LogEntry(
        content_type=ContentType.objects.get_for_model(row),
        object_pk=key,
        object_id=row.pk if isinstance(row.pk, int) else None,
        object_repr=str(row),
        action=action,
        changes={name: [_text(before), _text(after)] for name, (before, after) in changes.items()},
        actor_id=actor_id,
        cid=request_id(),
        additional_data={name: value for name, value in facts.items() if value},
        **({"timestamp": at} if at else {}),
    )


def difference(row: Model, values: Mapping[str, object]) -> dict[str, Change]:
    """Return the fields of a stored row that `values` change."""
    return {name: (getattr(row, name), new) for name, new in values.items() if getattr(row, name) != new}


def _user_key(actor: Actor | None) -> int | None:
    """Return the key of the actor's user; None for a part of the hub, and for a user who is deleted meanwhile."""
    if actor is None or not actor.id.isdecimal():
        return None
    return get_user_model()._default_manager.filter(pk=actor.id).values_list("pk", flat=True).first()


def _text(value: object) -> str | None:
    return None if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _move_to_owner(instance: LogEntry, data: dict[str, Any]) -> None:
    """Let a part without a page of its own, such as a grant, tell its changes on the object that it belongs to."""
    owner = data.pop("owner", None)
    if not owner:
        return
    data["part"] = f"{instance.content_type.app_label}.{instance.content_type.model}"
    instance.content_type = ContentType.objects.get_by_natural_key(*owner[0].split("."))
    instance.object_pk, instance.object_id = str(owner[1]), owner[1] if isinstance(owner[1], int) else None
