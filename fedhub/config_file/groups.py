"""The groups of the hub's roles and further groups: observe them, and write the changes of the file to them.

The file gives permissions to groups that are not a role's; those of a role's group stay as the hub and staff gave them.
A change of members gives or takes the rights of the group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from core.errors import ConflictError, NotFoundError
from core.roles.models import Role
from core.store.unit_of_work import locked
from fedhub.config_file.kinds import Kind, Write, Written
from fedhub.config_file.plan import CREATE, DELETE, Change, FieldChange, Key, Observed

ROLES, GROUPS = "roles", "groups"


def observe_roles(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the roles that have a group, by the role's key."""
    rows = Role.objects.filter(group__isnull=False).select_related("group").prefetch_related("group__user_set")
    found = [row for row in rows if keys is None or (row.key,) in keys]
    return {
        (row.key,): Observed({"group": row.group.name, "members": _members(row.group)}, {"id": row.group.pk})
        for row in found
        if row.group is not None
    }


def observe_groups(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the groups that are not a role's, by name."""
    rows = Group.objects.filter(role=None).prefetch_related("user_set", "permissions__content_type")
    if keys is not None:
        rows = rows.filter(name__in=[name for (name,) in keys])
    return {
        (row.name,): Observed({"members": _members(row), "permissions": _permissions(row)}, {"id": row.pk})
        for row in rows
    }


def permission_ids() -> dict[str, list[int]]:
    """Return the ids of all permissions of the hub, by the name `app.codename`."""
    found: dict[str, list[int]] = {}
    for app, codename, key in Permission.objects.values_list("content_type__app_label", "codename", "pk"):
        found.setdefault(f"{app}.{codename}", []).append(key)
    return found


def _members(group: Group) -> list[str]:
    return sorted(user.get_username() for user in group.user_set.all())


def _permissions(group: Group) -> list[str]:
    return sorted({f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all()})


def lock_role(key: Key) -> None:
    """Lock the role's group."""
    list(locked(Group.objects.filter(pk__in=Role.objects.filter(key=key[0]).values("group"))))


def lock_group(key: Key) -> None:
    """Lock the group of this name."""
    list(locked(Group.objects.filter(name=key[0])))


def deletion_of(key: Key, observed: Observed) -> Change | None:
    """Return the change that deletes a group; it shows the permissions that its members lose."""
    fields = tuple(FieldChange(name, before, None) for name, before in observed.values.items())
    return Change(GROUPS, key, DELETE, fields)


def write(task: Write) -> Written:
    """Write one change of a group or of a role's group, in its transaction."""
    change = task.change
    if change.action == CREATE:
        _check_free(change.key[0])
        group = Group.objects.create(name=change.key[0])
    else:
        group = Group.objects.get(pk=task.old.facts["id"] if task.old else 0)
    if name := change.after.get("group"):
        _check_free(name)
        group.name = name
        group.save(update_fields=["name"])
    if "members" in change.after and change.action != DELETE:
        _set_members(group, set(change.before["members"] or ()), change.after["members"])
    if "permissions" in change.after and change.action != DELETE:
        _set_permissions(group, set(change.before["permissions"] or ()), set(change.after["permissions"]))
    if change.action == DELETE:
        group.delete()
    return Written()


def _check_free(name: str) -> None:
    if Group.objects.filter(name=name).exists():
        raise ConflictError(f"Another group is named {name}")


def _set_members(group: Any, before: set[str], after: Iterable[str]) -> None:
    wanted = set(after)
    users = dict(get_user_model().objects.filter(username__in=wanted | before).values_list("username", "pk"))
    if missing := sorted(wanted - before - set(users)):
        raise NotFoundError(f"There is no user named {', '.join(missing)}")
    group.user_set.add(*(users[name] for name in sorted(wanted - before)))
    group.user_set.remove(*(users[name] for name in sorted(before - wanted) if name in users))


def _set_permissions(group: Any, before: set[str], after: set[str]) -> None:
    known = permission_ids()
    if missing := sorted(after - before - set(known)):
        raise NotFoundError(f"There is no permission {', '.join(missing)}")
    group.permissions.add(*(key for name in sorted(after - before) for key in known[name]))
    group.permissions.remove(*(key for name in sorted(before - after) for key in known.get(name, ())))


ROLE_KIND = Kind(observe_roles, lock_role, write, lambda key, observed: None)
GROUP_KIND = Kind(observe_groups, lock_group, write, deletion_of)
