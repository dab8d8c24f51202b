"""The reading of one listing of an MCP server, page by page, to whatever the server means by its end.

Servers end a listing in several ways: without `nextCursor`, with an empty one, or by the same page or cursor again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from federations.providers.agentcore.bounds import EnrichmentError, Limits
from federations.providers.agentcore.mcp_wire import LostSessionError
from federations.providers.agentcore.refusals import OutOfTimeError
from federations.sync.resources import Json, JsonObject

Ask = Callable[[str, dict[str, Any] | None], Awaitable[JsonObject]]


class TooLongError(EnrichmentError):
    """Raised for a listing with too many items or pages."""


@dataclass(slots=True)
class Listing:
    """The raw items of a listing. `odd_end` is the text of a warning about the end of the listing, or empty."""

    items: list[Json] = field(default_factory=list)
    odd_end: str = ""


async def read_listing(ask: Ask, method: str, key: str, limits: Limits) -> Listing:
    """Read all pages of the listing `method`, whose results have their items under `key`.

    Raises TooLongError over a bound, EnrichmentError for a result without a list of items, and as `ask` does.
    """
    listing = Listing()
    cursor: Json = None
    seen: set[str] = set()
    pages: list[list[Json]] = []
    for _ in range(limits.pages):
        try:
            result = await ask(method, None if cursor is None else {"cursor": cursor})
            page = _items(result, key)
        except (OutOfTimeError, LostSessionError):
            raise
        except EnrichmentError:
            if cursor == "":
                return listing  # The server means the end of the listing by an empty cursor.
            raise
        next_cursor = result.get("nextCursor")
        is_repeated = isinstance(next_cursor, str) and next_cursor in seen
        if cursor == "" and page in pages:
            return listing
        if is_repeated and pages[-1:] == [page]:
            page = []  # The server ignores the cursor.
        pages.append(page)
        listing.items += page
        if len(listing.items) > limits.items:
            raise TooLongError(f"more than {limits.items} {_noun(method)}")
        if next_cursor is None or (next_cursor == "" and is_repeated):
            return listing
        if not isinstance(next_cursor, str):
            listing.odd_end = f"{method}: the listing ends with a cursor that is not a text"
            return listing
        if is_repeated:
            listing.odd_end = f"{method}: the listing ends because it repeats a cursor"
            return listing
        seen.add(next_cursor)
        cursor = next_cursor
    raise TooLongError(f"more than {limits.pages} pages of {_noun(method)}")


def _items(result: JsonObject, key: str) -> list[Json]:
    items = result.get(key)
    if not isinstance(items, list):
        raise EnrichmentError(f"the answer is not valid MCP: {key} is not a list")
    return items


def _noun(method: str) -> str:
    return {"resources/templates/list": "resource templates"}.get(method, method.removesuffix("/list"))
