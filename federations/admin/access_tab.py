"""Who may do what on a federation, as the tab Access shows it: by grant and by role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.labels import count_text
from federations.admin.grants import holder_key, is_owner
from federations.admin.share import share_form
from federations.admin.tab_sections import Section
from federations.models import AccessLevel, Federation
from federations.services.access import PERMISSION_OF, level_of

MOST_GRANTS = 200
LEVEL_WORDS = {
    AccessLevel.VIEW: "read its servers, agents, runtimes, jobs and plans",
    AccessLevel.EDIT: "read it, edit it, sync it, and apply its plans",
    AccessLevel.OWNER: "read it, edit it, sync it, apply its plans, end reviews, give access to others, and delete it",
}
# What a permission adds to the level, and the lowest level that has it already.
FURTHER_WORDS = {
    "sync_federation": ("start syncs in the admin", AccessLevel.EDIT),
    "run_a2aagent": ("give work to its agents", None),
    "approve_agentrun": ("approve work for its agents", None),
}


def access_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the person's own access, and the grants and roles to persons who may see them.

    Other persons see the names of the owners.
    """
    own = AccessLevel(level_of(request.user, federation))
    grants = list(federation.grants.order_by("-level", "holder_name", "id")[:MOST_GRANTS])
    may_grant = is_owner(request, federation)
    sees_grants = may_grant or request.user.has_perm("federations.view_federationgrant")
    rows = [
        {
            "id": grant.pk,
            "holder": grant.holder_name,
            "url": _page_of(request, grant.user_id, grant.group_id),
            "key": holder_key(grant),
            "kind": "user" if grant.user_id else "group",
            "level": grant.level,
            "label": AccessLevel(grant.level).label,
            "words": LEVEL_WORDS[AccessLevel(grant.level)],
        }
        for grant in grants
    ]
    return {
        "own_level": own.label,
        "own_words": LEVEL_WORDS[own],
        "owners": [grant.holder_name for grant in grants if grant.level == AccessLevel.OWNER],
        "sees_grants": sees_grants,
        "grants": rows,
        "levels": AccessLevel.choices,
        "sections": [_by_role(request)] if sees_grants else [],
        "may_grant": may_grant,
        "share_form": share_form() if may_grant else None,
        "sees_roles": request.user.has_perm("auth.view_group"),
    }


def _page_of(request: HttpRequest, user_id: object, group_id: object) -> str:
    """Return the address of the page of a user or a group, or an empty text for a person who may not open it."""
    kind, key = ("user", user_id) if user_id else ("group", group_id)
    return reverse(f"admin:auth_{kind}_change", args=[key]) if request.user.has_perm(f"auth.view_{kind}") else ""


def _linked(url: str, name: str) -> SafeString | str:
    return format_html('<a class="text-link" href="{}">{}</a>', url, name) if url else name


def _by_role(request: HttpRequest) -> Section:
    """Return the table of the groups and users whose permissions hold on every federation, in four queries."""
    return Section(
        title="By role, on every federation",
        headers=("Holder", "Kind", "May"),
        rows=[*_superusers(), *_holders_of_permissions(request)],
        empty="No role gives access to every federation.",
    )


def _superusers() -> Iterator[list[str]]:
    number = get_user_model().objects.filter(is_superuser=True, is_active=True).count()
    if number:
        yield [count_text(number, "superuser"), "user", "do everything"]


def _holders_of_permissions(request: HttpRequest) -> Iterator[list[Any]]:
    """Yield a row for each group and each active user with a permission on every federation, in three queries."""
    names = [name.partition(".")[2] for name in PERMISSION_OF.values()] + list(FURTHER_WORDS)
    wanted = Permission.objects.filter(content_type__app_label="federations", codename__in=names)
    groups: dict[tuple[int, str], set[str]] = {}
    for key, name, codename in wanted.values_list("group__pk", "group__name", "codename").order_by("group__name"):
        if name:
            groups.setdefault((key, name), set()).add(codename)
    counted = Group.objects.filter(pk__in=[key for key, _ in groups])
    members = dict(counted.values_list("pk").annotate(number=Count("user", filter=Q(user__is_active=True))))
    rows: list[tuple[SafeString | str, str, set[str]]] = [
        (_linked(_page_of(request, "", key), f"{name} ({count_text(members[key], 'member')})"), "group", has)
        for (key, name), has in groups.items()
    ]
    users: dict[tuple[str, int], set[str]] = {}
    for name, key, is_active, codename in wanted.values_list(
        "user__username", "user__pk", "user__is_active", "codename"
    ):
        if name and is_active:
            users.setdefault((name, key), set()).add(codename)
    rows += [(_linked(_page_of(request, key, ""), name), "user", has) for (name, key), has in sorted(users.items())]
    yield from ([holder, kind, words] for holder, kind, has in rows[:MOST_GRANTS] if (words := words_of(has)))


def words_of(codenames: set[str]) -> str:
    """Return what permissions on every federation let their holder do; an empty text if that is nothing."""
    levels = [level for level, name in PERMISSION_OF.items() if name.partition(".")[2] in codenames]
    level = max(levels, default=None)
    words = [LEVEL_WORDS[level]] if level else []
    for codename, (text, enough) in FURTHER_WORDS.items():
        has_it_already = level is not None and enough is not None and level >= enough
        if codename in codenames and not has_it_already:
            words.append(text if level else f"{text}, with a grant on it")
    return "; ".join(words)
