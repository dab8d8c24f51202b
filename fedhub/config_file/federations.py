"""Federations and their grants: observe them, and write the changes of the file to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from core.actors import Actor
from core.errors import NotFoundError
from core.store.unit_of_work import locked
from federations.models import AccessLevel, ChangePolicy, Federation, FederationGrant, FederationStatus, JobTrigger
from federations.services.audit import audited
from federations.services.federations import create_federation, delete_federation, set_enabled, update_federation
from federations.services.grants import share, withdraw
from fedhub.config_file.kinds import Kind, Write, Written
from fedhub.config_file.plan import CREATE, DELETE, HELD, Change, FieldChange, Key, Observed
from fedhub.config_file.schedules import observed_schedule, write_schedule

SECTION = "federations"
_LEVELS = {level.name.lower(): level for level in AccessLevel}
_COLUMNS = {"description", "tags", "provider_config", "change_policy"}
_DISABLED = "is disabled, and only an active federation is deleted: enable it first"


def observe(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the federations by name. Of several federations with one name `facts["ids"]` has all ids."""
    rows = Federation.objects.prefetch_related("tag_rows", "grants").order_by("id")
    if keys is not None:
        rows = rows.filter(display_name__in=[name for (name,) in keys])
    found = list(rows)
    names = _holder_names(grant for row in found for grant in row.grants.all())
    ids: dict[str, list[str]] = {}
    for row in found:
        ids.setdefault(row.display_name, []).append(row.pk)
    return {(row.display_name,): _observed(row, ids[row.display_name], names) for row in found}


def _observed(row: Federation, ids: list[str], names: Callable[[FederationGrant], str]) -> Observed:
    grants = sorted((names(grant), AccessLevel(grant.level).name.lower()) for grant in row.grants.all())
    values = {
        "provider": row.provider_type,
        "description": row.description or "",
        "tags": row.tags,
        "provider_config": row.provider_config,
        "external_id": row.external_id,
        "enabled": row.status == FederationStatus.ACTIVE,
        "change_policy": row.change_policy,
        "schedule": observed_schedule(row),
        "grants": dict(grants),
    }
    return Observed(values, {"ids": ids, "status": row.status, "resources": row.imported_total})


def _holder_names(grants: Iterable[FederationGrant]) -> Callable[[FederationGrant], str]:
    """Return the function that names the holder of a grant, from two queries; a deleted holder is `user:#ID`."""
    rows = list(grants)
    users = _names(get_user_model().objects.all(), "username", (row.user_id for row in rows))
    groups = _names(Group.objects.all(), "name", (row.group_id for row in rows))

    def name_of(row: FederationGrant) -> str:
        if row.user_id:
            return f"user:{users.get(row.user_id, '#' + row.user_id)}"
        return f"group:{groups.get(row.group_id, '#' + row.group_id)}"

    return name_of


def _names(rows: Any, column: str, ids: Iterable[str]) -> Mapping[str, str]:
    wanted = {key for key in ids if key.isdecimal() and len(key) < 19}
    return {str(key): name for key, name in rows.filter(pk__in=wanted).values_list("pk", column)}


def lock(key: Key) -> None:
    """Lock the federation of this name."""
    list(locked(Federation.objects.filter(display_name=key[0])))


def deletion_of(key: Key, observed: Observed) -> Change | None:
    """Return the change that deletes the federation; a disabled one or a shared name is held."""
    if len(observed.facts["ids"]) > 1:
        return Change(SECTION, key, HELD, (), (f"{len(observed.facts['ids'])} federations have this name",))
    if observed.facts["status"] != FederationStatus.ACTIVE:
        return Change(SECTION, key, HELD, (), (_DISABLED,))
    lost = FieldChange("resources", observed.facts["resources"], None)
    return Change(
        SECTION, key, DELETE, (FieldChange("provider_config", observed.values["provider_config"], None), lost)
    )


def write(task: Write) -> Written:
    """Write one change, in its transaction."""
    change, by = task.change, task.by
    if change.action == DELETE:
        row = Federation.objects.get(display_name=change.key[0])
        return Written(afterwards=partial(delete_federation, row, by=by, trigger=JobTrigger.MANUAL))
    if change.action == CREATE:
        row = _create(change, by)
    else:
        row = Federation.objects.get(display_name=change.key[0])
    with audited(row, by=by):
        _update(row, change, by)
    return Written()


def _create(change: Change, by: Actor) -> Federation:
    new = change.after
    return create_federation(
        provider_type=new["provider"],
        display_name=change.key[0],
        description=new.get("description") or None,
        tags=new.get("tags", []),
        provider_config=new.get("provider_config", {}),
        by=by,
        change_policy=ChangePolicy(new.get("change_policy", ChangePolicy.FLOW)),
        external_id=new.get("external_id", ""),
    )


def _update(row: Federation, change: Change, by: Actor) -> None:
    """Write the fields that change. A disabled federation is enabled for the update, inside this transaction alone."""
    new, was_enabled = change.after, row.status == FederationStatus.ACTIVE
    columns: set[str] = set() if change.action == CREATE else _COLUMNS & set(new)
    if not was_enabled and (columns or new.get("enabled")):
        set_enabled(row, True, by=by)
        row.refresh_from_db()
    if columns:
        update_federation(
            row,
            display_name=row.display_name,
            description=new.get("description", row.description) or None,
            tags=new.get("tags", row.tags),
            provider_config=new.get("provider_config", row.provider_config),
            by=by,
            change_policy=ChangePolicy(new["change_policy"]) if "change_policy" in new else None,
        )
    if "schedule" in new:
        write_schedule(row, new["schedule"], by=by)
    if "grants" in new:
        _write_grants(row, change.before["grants"] or {}, new["grants"])
    if row.status == FederationStatus.ACTIVE and not new.get("enabled", was_enabled):
        set_enabled(row, False, by=by)


def _write_grants(row: Federation, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    for holder, level in after.items():
        if before.get(holder) != level:
            share(row, _holder_id(holder), _LEVELS[level], needs_owner=False)
    grants = list(FederationGrant.objects.filter(federation=row))
    name_of = _holder_names(grants)
    for grant in grants:
        if name_of(grant) not in after:
            withdraw(row, grant.pk, needs_owner=False)


def _holder_id(holder: str) -> str:
    """Return `user:ID` or `group:ID` of a holder's name; raises NotFoundError."""
    kind, _, name = holder.partition(":")
    rows: Any = get_user_model().objects.filter(username=name) if kind == "user" else Group.objects.filter(name=name)
    key = rows.values_list("pk", flat=True).first()
    if key is None:
        raise NotFoundError(f"There is no {kind} named {name}")
    return f"{kind}:{key}"


KIND = Kind(observe, lock, write, deletion_of)
