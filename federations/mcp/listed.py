"""The servers and agents as MCP resources: a page of their addresses, and the content behind an address."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from core.errors import InvalidRequestError, NotFoundError
from federations.mcp.bounds import SHORT_TEXT_CHARS, cut
from federations.mcp.described import MISSING, describe_resource, find_agent, find_server
from federations.mcp.shapes import Description
from federations.services.access import AnyUser, agents_visible_to, servers_visible_to
from federations.services.shown import prefetch_newer

PAGE = 100
SERVERS, AGENTS = "servers", "agents"
URI = re.compile(r"fedhub://(servers|agents)/([0-9a-f]{24})", re.ASCII)
_CURSOR = re.compile(r"(servers|agents)/([0-9a-f]{24})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listed:
    """A server or agent in the list of resources: its URI, its name, and texts that it wrote itself."""

    uri: str
    name: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of servers and agents; `next_cursor` is None on the last page."""

    resources: tuple[Listed, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Kind:
    rows: Callable[[AnyUser], QuerySet[Any]]
    name: str
    title: str


_KINDS = {
    SERVERS: _Kind(servers_visible_to, "server_name", "title"),
    AGENTS: _Kind(agents_visible_to, "name", "card_name"),
}


def list_page(user: AnyUser, cursor: str | None) -> ListedPage:
    """Return a page of the servers, then of the agents, that `user` may view, each in the order of their ids.

    Raises InvalidRequestError for a cursor that is not from `next_cursor`.
    """
    kind, after = _read_cursor(cursor)
    found = list(_rows(user, kind, after)[: PAGE + 1])
    listed = [_listed(kind, row) for row in found[:PAGE]]
    if len(found) > PAGE:
        return ListedPage(tuple(listed), f"{kind}/{found[PAGE - 1].pk}")
    if kind == AGENTS:
        return ListedPage(tuple(listed), None)
    # The agents begin on the page on which the servers end, because some clients read only the first page.
    agents = list(_rows(user, AGENTS, "")[: PAGE + 1 - len(listed)])
    room = PAGE - len(listed)
    following = f"{AGENTS}/{agents[room - 1].pk if room else ''}" if len(agents) > room else None
    return ListedPage((*listed, *(_listed(AGENTS, row) for row in agents[:room])), following)


def read(user: AnyUser, uri: str) -> Description:
    """Return the server or agent behind `uri`; raise NotFoundError for any that `user` may not view."""
    match = URI.fullmatch(uri)
    found = (find_server if match[1] == SERVERS else find_agent)(user, match[2]) if match else None
    if found is None:
        raise NotFoundError(MISSING)
    return describe_resource(found, user)


def _read_cursor(cursor: str | None) -> tuple[str, str]:
    if not cursor:
        return SERVERS, ""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidRequestError("cursor: not a nextCursor of resources/list")
    return match[1], match[2] or ""


def _rows(user: AnyUser, kind: str, after: str) -> QuerySet[Any]:
    of_kind = _KINDS[kind]
    rows = of_kind.rows(user).only("id", of_kind.name, of_kind.title, "description").order_by("id")
    rows = rows.prefetch_related(prefetch_newer())
    return rows.filter(id__gt=after) if after else rows


def _listed(kind: str, row: Any) -> Listed:
    return Listed(
        uri=f"fedhub://{kind}/{row.pk}",
        name=row.name,
        title=cut(getattr(row, _KINDS[kind].title), SHORT_TEXT_CHARS),
        description=cut(row.shown_description, SHORT_TEXT_CHARS),
    )
