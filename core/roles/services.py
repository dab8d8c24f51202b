"""Make the groups of the roles, and give each permission of a role once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditlog.context import disable_auditlog
from django.apps import apps as installed_apps
from django.db import router


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role: its key, the first name of its group, what its members may do, and its permissions as `app.codename`."""

    key: str
    name: str
    may: str
    permissions: tuple[str, ...]


def give_roles(definitions: Sequence[RoleDefinition], *, using: str = "default", apps: Any = None) -> None:
    """Make the groups of new roles in the database `using`, and give the roles the permissions that are new to them.

    `apps` has the models as the migrations left them. A database without the tables of roles is left alone, and a
    permission that does not exist is skipped. A permission is given before it is recorded, so that a run after a crash
    gives it again.
    """
    found = apps or installed_apps
    try:
        role_model, given_model = found.get_model("roles", "Role"), found.get_model("roles", "GivenPermission")
        group_model, permission_model = found.get_model("auth", "Group"), found.get_model("auth", "Permission")
    except LookupError:
        return
    if not router.allow_migrate_model(using, role_model):
        return
    rows = {row.key: row for row in role_model.objects.using(using).all()}
    keys = permission_model.objects.using(using).values_list("content_type__app_label", "codename", "pk")
    permissions = {f"{app}.{codename}": key for app, codename, key in keys}
    given = set(given_model.objects.using(using).values_list("role_id", "permission_id"))
    for definition in definitions:
        role = rows.get(definition.key)
        if role is None:
            with disable_auditlog():
                group = _new_group(group_model.objects.using(using), definition.name)
            role = role_model.objects.using(using).create(key=definition.key, group=group)
        wanted = {permissions[name] for name in definition.permissions if name in permissions}
        new = sorted(key for key in wanted if (role.pk, key) not in given)
        if not new or role.group_id is None:
            continue
        _add_permissions(group_model, role.group_id, new, using)
        recorded = [given_model(role=role, permission_id=key) for key in new]
        given_model.objects.using(using).bulk_create(recorded, ignore_conflicts=True)


def _new_group(groups: Any, name: str) -> Any:
    """Create the group of a role. A group that staff use under this name already does not become the role.

    Its members would get the permissions of the role. A group without members and permissions is in use by nobody, for
    example after a crash between the two steps.
    """
    taken = groups.filter(name=name).first()
    if taken is None:
        return groups.create(name=name)
    if not (taken.user_set.exists() or taken.permissions.exists()):
        return taken
    return groups.get_or_create(name=f"{name} (role)")[0]


def _add_permissions(group_model: Any, group_id: int, keys: Sequence[int], using: str) -> None:
    through = group_model.permissions.through
    rows = [through(group_id=group_id, permission_id=key) for key in keys]
    through.objects.using(using).bulk_create(rows, ignore_conflicts=True)
