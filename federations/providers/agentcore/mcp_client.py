"""Reading of an MCP server with the official SDK, over streamable HTTP (protocol revisions up to 2025-11-25)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol, TypeVar

import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import METHOD_NOT_FOUND, Implementation, PaginatedRequestParams, PaginatedResult
from pydantic import BaseModel

from federations.providers.agentcore.bounds import EnrichmentError, Limits, check_schema_size, check_storable
from federations.sync.resources import JsonObject, McpCatalog

_CLIENT = Implementation(name="fedhub", version="0.1.0")

PageT = TypeVar("PageT", bound=PaginatedResult)
PageT_co = TypeVar("PageT_co", bound=PaginatedResult, covariant=True)


class Fetch(Protocol[PageT_co]):
    """A list method of the session, for example `list_tools`."""

    def __call__(self, *, params: PaginatedRequestParams | None) -> Coroutine[object, object, PageT_co]: ...


async def read_catalog(client: httpx2.AsyncClient, url: str, limits: Limits) -> McpCatalog:
    """Read the tools, resources and prompts of the server at `url`, all pages.

    The function sends three requests, and one more for resources and for prompts if the server declares them. It does
    not delete the session, which AWS ends. Raises EnrichmentError over a bound, MCPError or pydantic's ValidationError
    for a bad answer.
    """
    async with (
        streamable_http_client(
            url, http_client=client, terminate_on_close=False, max_sse_event_size=limits.answer_bytes
        ) as (read, write),
        ClientSession(read, write, client_info=_CLIENT) as session,
    ):
        capabilities = (await session.initialize()).capabilities
        declared = _as_json(capabilities)
        check_storable(declared)
        # The hub asks for tools in any case, because some servers have tools but do not declare them.
        read_tools = _read_all_pages if capabilities.tools is not None else _read_optional_listing
        tools = await read_tools("tools", session.list_tools, lambda page: page.tools, limits)
        for tool in tools:
            check_schema_size(tool, limits.schema_bytes)
        resources: tuple[JsonObject, ...] = ()
        if capabilities.resources is not None:
            resources = await _read_optional_listing(
                "resources", session.list_resources, lambda page: page.resources, limits
            )
        prompts: tuple[JsonObject, ...] = ()
        if capabilities.prompts is not None:
            prompts = await _read_optional_listing("prompts", session.list_prompts, lambda page: page.prompts, limits)
        return McpCatalog(tools=tools, resources=resources, prompts=prompts, capabilities=declared)


async def _read_optional_listing(
    what: str, fetch: Fetch[PageT], items_of: Callable[[PageT], Sequence[BaseModel]], limits: Limits
) -> tuple[JsonObject, ...]:
    """Read a listing that a server may declare without having it. Return an empty one for method not found."""
    try:
        return await _read_all_pages(what, fetch, items_of, limits)
    except MCPError as exc:
        if exc.code != METHOD_NOT_FOUND:
            raise
        return ()


async def _read_all_pages(
    what: str, fetch: Fetch[PageT], items_of: Callable[[PageT], Sequence[BaseModel]], limits: Limits
) -> tuple[JsonObject, ...]:
    found: list[JsonObject] = []
    cursors: set[str | None] = {None}
    params: PaginatedRequestParams | None = None
    for _ in range(limits.pages):
        page = await fetch(params=params)
        found.extend(_as_json(item) for item in items_of(page))
        if len(found) > limits.items:
            raise EnrichmentError(f"more than {limits.items} {what}")
        if page.next_cursor is None:
            check_storable(found)
            return tuple(found)
        if page.next_cursor in cursors:
            raise EnrichmentError(f"{what}/list repeats a cursor")
        cursors.add(page.next_cursor)
        params = PaginatedRequestParams(cursor=page.next_cursor)
    raise EnrichmentError(f"more than {limits.pages} pages of {what}")


def _as_json(model: BaseModel) -> JsonObject:
    """Return the model as its JSON on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
