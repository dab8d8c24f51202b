"""The page *Roles*: what each of the hub's roles may do, who has it, and where staff changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from core.admin.labels import sentence
from core.roles.models import Role
from fedhub.admin.rights import is_superuser
from fedhub.roles import DEFINITIONS

MOST_MEMBERS = 200


def roles_page(request: HttpRequest) -> HttpResponse:
    """Show the roles, in a constant number of queries."""
    if not request.user.has_perm("auth.view_group"):
        raise PermissionDenied
    found = {role.key: role for role in Role.objects.select_related("group")}
    groups = [role.group_id for role in found.values() if role.group_id]
    active = Count("user", filter=Q(user__is_active=True))
    numbers = dict(Group.objects.filter(pk__in=groups).values_list("pk").annotate(number=active))
    members, permissions = _members(groups), _permissions(groups)
    context = {
        **admin.site.each_context(request),
        "title": "Roles",
        "roles": [_shown(key, found.get(key), numbers, members, permissions) for key in DEFINITIONS],
        "may_give": is_superuser(request),
        "sees_people": (sees_people := request.user.has_perm("auth.view_user")),
        "superusers": list(_superusers()) if sees_people else [],
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "fedhub/roles.html", context)


def _superusers() -> Iterator[tuple[int, str]]:
    """Yield the first active superusers by name, as pairs of id and name."""
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("username")
    yield from found.values_list("pk", "username")[:MOST_MEMBERS]


def _members(groups: list[int]) -> dict[int, list[tuple[int, str]]]:
    """Return the first active members of each group by name, as pairs of id and name."""
    rows = User.objects.filter(groups__in=groups, is_active=True).order_by("username")
    found: dict[int, list[tuple[int, str]]] = {}
    for group, key, name in rows.values_list("groups", "pk", "username")[:MOST_MEMBERS]:
        found.setdefault(group, []).append((key, name))
    return found


def _permissions(groups: list[int]) -> dict[int, set[str]]:
    rows = Group.objects.filter(pk__in=groups, permissions__isnull=False)
    found: dict[int, set[str]] = {}
    for key, app, codename in rows.values_list("pk", "permissions__content_type__app_label", "permissions__codename"):
        found.setdefault(key, set()).add(f"{app}.{codename}")
    return found


def _shown(
    key: str,
    role: Role | None,
    numbers: dict[int, int],
    members: dict[int, list[tuple[int, str]]],
    permissions: dict[int, set[str]],
) -> dict[str, Any]:
    definition = DEFINITIONS[key]
    group = role.group if role else None
    if group is None:
        return {"name": definition.name, "may": sentence(definition.may), "is_deleted": True}
    has, wanted = permissions.get(group.pk, set()), set(definition.permissions)
    changes = [f"{len(rights)} {word}" for rights, word in ((wanted - has, "fewer"), (has - wanted, "more")) if rights]
    return {
        "name": group.name,
        "may": sentence(definition.may),
        "group": group.pk,
        "number": numbers.get(group.pk, 0),
        "members": members.get(group.pk, []),
        "changed": " and ".join(changes),
    }
