"""What a user may do on the hub, and why: by being a superuser, by roles and groups, by own rights, and by grants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest
from django.urls import reverse

from core.admin.cells import row_link, time_since
from core.admin.labels import sentence
from core.roles.models import Role
from federations.admin.access_tab import LEVEL_WORDS
from federations.admin.tab_sections import Section
from federations.models import AccessLevel
from federations.services.access import grants_seen
from fedhub.admin.rights import is_superuser
from fedhub.roles import DEFINITIONS, may_of_group

MOST_GRANTS = 200
MOST_NAMES = 8
MOST_CHANGES = 10
SEES_GRANTS = "federations.view_federationgrant"
HEADERS = ("Where", "May", "Why")


def rights_context(request: HttpRequest, account: User) -> dict[str, Any]:
    """Return what the page of an account tells of its rights, in a constant number of queries.

    `account` was loaded with its groups, their roles and permissions, and its own permissions.
    """
    groups = sorted(account.groups.all(), key=attrgetter("name"))
    return {
        "account": account,
        "may_give": is_superuser(request),
        "roles": _roles(groups) if is_superuser(request) else [],
        "roles_url": reverse("admin:auth_user_roles", args=[account.pk]),
        "sections": [_section(request, account, groups), *_changes(account)],
    }


def _section(request: HttpRequest, account: User, groups: list[Group]) -> Section:
    rows = [*_of_account(account), *_of_groups(groups), *_of_grants(request, account)]
    return Section(
        title="What this account may do, and why",
        headers=HEADERS,
        rows=rows if account.is_active else [("-", "nothing now: the account is not active", "-"), *rows],
        empty="Nothing beyond the own tokens and the own second factor. Give a role here, or share a federation with "
        "this person on the federation's tab Access.",
    )


def _of_account(account: User) -> Iterator[tuple[Any, ...]]:
    if account.is_superuser:
        yield "Everything", "do everything", "the account is a superuser"
    if account.is_staff:
        yield "The admin", "sign in to the admin, and make notification rules for its own mails", "the account is staff"
    if names := _names(account.user_permissions.all()):
        yield "The whole hub", names, "custom rights of the account"


def _of_groups(groups: list[Group]) -> Iterator[tuple[Any, ...]]:
    for group in groups:
        words = may_of_group(group)
        kind = "role" if words else "group"
        if text := words or _names(group.permissions.all()):
            yield "The whole hub", text, f"the {kind} {group.name}"


def _of_grants(request: HttpRequest, account: User) -> Iterator[tuple[Any, ...]]:
    """Yield the grants on federations that the person at the page may see, if that person may see grants."""
    if not request.user.has_perm(SEES_GRANTS):
        return
    for grant in grants_seen(account, request.user)[:MOST_GRANTS]:
        holder = f"a grant to the group {grant.holder_name}" if grant.group_id else "a grant to this person"
        yield row_link(grant.federation, grant.federation), LEVEL_WORDS[AccessLevel(grant.level)], holder


def _names(permissions: Iterable[Permission]) -> str:
    names = [permission.name.removeprefix("Can ") for permission in permissions]
    more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _roles(groups: list[Group]) -> list[dict[str, Any]]:
    """Return the roles with what each may do, and whether the account has it."""
    has = {group.pk for group in groups}
    return [
        {
            "key": role.key,
            "name": role.group.name,
            "may": sentence(DEFINITIONS[role.key].may),
            "has": role.group_id in has,
        }
        for role in Role.objects.select_related("group").order_by("pk")
        if role.group is not None and role.key in DEFINITIONS
    ]


def _changes(account: User) -> Iterator[Section]:
    """Yield the newest changes of the account's roles, with their reasons; nothing if there are none."""
    entries = LogEntry.objects.get_for_object(account).select_related("actor").order_by("-timestamp", "-pk")
    rows = [
        (time_since(entry.timestamp), _change_words(entry.changes["role"]), str(entry.actor or "-"), _reason(entry))
        for entry in entries[:MOST_CHANGES]
        if isinstance(entry.changes, dict) and "role" in entry.changes
    ]
    if rows:
        yield Section(title="Changes of roles", headers=("When", "What", "By", "Reason"), rows=rows)


def _change_words(change: Any) -> str:
    before, after = change
    return f"took the role {before}" if before else f"gave the role {after}"


def _reason(entry: LogEntry) -> str:
    return str((entry.additional_data or {}).get("reason", "-"))
