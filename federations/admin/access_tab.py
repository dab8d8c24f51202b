"""Who may do what on a federation, as the tab Access shows it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from federations.admin.grants import is_owner
from federations.admin.tab_sections import Section
from federations.models import AccessLevel, Federation
from federations.services.access import level_of

MOST_GRANTS = 200
LEVEL_WORDS = {
    AccessLevel.VIEW: "read its servers, agents, runtimes, jobs and plans",
    AccessLevel.EDIT: "read it, edit it, sync it, and apply its plans",
    AccessLevel.OWNER: "read it, edit it, sync it, apply its plans, end reviews, give access to others, and delete it",
}


def access_tab(request: HttpRequest, federation: Federation) -> dict[str, Any]:
    """Return the person's own access, and the grants to persons who may see them; the owners' names to all others."""
    own = AccessLevel(level_of(request.user, federation))
    grants = list(federation.grants.order_by("-level", "holder_name", "id")[:MOST_GRANTS])
    sees_grants = is_owner(request, federation) or request.user.has_perm("federations.view_federationgrant")
    rows = [
        [
            grant.holder_name,
            "user" if grant.user_id else "group",
            AccessLevel(grant.level).label,
            LEVEL_WORDS[AccessLevel(grant.level)],
        ]
        for grant in grants
    ]
    listed = Section(
        title="Grants on this federation",
        headers=("Holder", "Kind", "Level", "May"),
        rows=rows,
        empty="Nobody has a grant on this federation; only roles give access to it.",
    )
    return {
        "own_level": own.label,
        "own_words": LEVEL_WORDS[own],
        "owners": [grant.holder_name for grant in grants if grant.level == AccessLevel.OWNER],
        "sections": [listed] if sees_grants else [],
        "may_grant": is_owner(request, federation) and request.user.has_perm("federations.change_federationgrant"),
    }
