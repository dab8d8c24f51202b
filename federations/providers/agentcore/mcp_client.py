"""Reading of an MCP server: the handshake, then each listing alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

from federations.providers.agentcore.bounds import EnrichmentError, check_storable, clean_error
from federations.providers.agentcore.mcp_handshake import shake_hands
from federations.providers.agentcore.mcp_items import ItemRule, check_items
from federations.providers.agentcore.mcp_listing import Listing, TooLongError, read_listing
from federations.providers.agentcore.mcp_session import McpSession
from federations.providers.agentcore.mcp_wire import LARGE_BYTES, HttpDispatcher, LostSessionError, RpcError
from federations.providers.agentcore.refusals import OutOfTimeError, RefusedError, RequestFault
from federations.providers.agentcore.transport import Conversation
from federations.sync.resources import JsonObject, McpCatalog, SyncWarning

_METHOD_NOT_FOUND = -32601


@dataclass(frozen=True, slots=True)
class ListedKind:
    """One kind of listing: the field of `McpCatalog`, the request, and the capability that declares it."""

    field: str
    method: str
    key: str
    capability: str
    rule: ItemRule


_TOOLS = ListedKind("tools", "tools/list", "tools", "tools", ItemRule("tool", "name"))
KINDS = (
    _TOOLS,
    ListedKind("resources", "resources/list", "resources", "resources", ItemRule("resource", "uri")),
    ListedKind(
        "resource_templates",
        "resources/templates/list",
        "resourceTemplates",
        "resources",
        ItemRule("resource_template", "uriTemplate"),
    ),
    ListedKind("prompts", "prompts/list", "prompts", "prompts", ItemRule("prompt", "name")),
)


async def read_catalog(conversation: Conversation, url: str, runtime_id: str, protocol_version: str = "") -> McpCatalog:
    """Read the tools, resources, templates and prompts of the server at `url`, all pages.

    `protocol_version` is the stored revision, or empty. `runtime_id` names the runtime in the warnings. The function
    sends `server/discover` or `initialize` with its notification, one request for tools, two for resources and one for
    prompts if the server declares them. It does not delete the session, which AWS ends. Raises EnrichmentError if
    nothing of the server can be read.
    """
    session = McpSession(HttpDispatcher(conversation, url))
    handshake = await shake_hands(session, protocol_version)
    reading = _Reading(session, conversation, runtime_id)
    declared = handshake.capabilities
    has_declared = declared is not None and any(_is_declared(declared, kind) for kind in KINDS)
    for kind in KINDS:
        if declared is None or _is_declared(declared, kind):
            # A server whose capabilities cannot be read may have everything.
            await reading.read(kind)
        elif kind is _TOOLS:
            # Some servers have tools but do not declare them.
            await reading.read(kind, is_optional=has_declared)
    reading.raise_if_nothing_was_read(declared)
    return McpCatalog(
        tools=tuple(reading.items.get("tools", ())),
        resources=tuple(reading.items.get("resources", ())),
        resource_templates=tuple(reading.items.get("resource_templates", ())),
        prompts=tuple(reading.items.get("prompts", ())),
        capabilities=_storable(declared),
        server_info=_storable(handshake.server_info),
        protocol_version=handshake.remembered,
        lost_listings=frozenset(reading.lost),
        warnings=tuple(reading.warnings),
    )


@dataclass(slots=True)
class _Reading:
    """The listings of one server as far as they are read: the kept items, the lost listings and the warnings."""

    session: McpSession
    conversation: Conversation
    runtime_id: str
    items: dict[str, list[JsonObject]] = field(default_factory=dict)
    lost: dict[str, EnrichmentError] = field(default_factory=dict)
    absent: dict[str, EnrichmentError] = field(default_factory=dict)
    warnings: list[SyncWarning] = field(default_factory=list)

    async def read(self, kind: ListedKind, *, is_optional: bool = False) -> None:
        """Read one listing. Any failure loses this listing alone, except for tools over a bound of the runtime.

        With `is_optional` every lasting refusal means that the server does not have this listing.
        """
        try:
            listing = await self._read_in_any_session(kind)
        except EnrichmentError as exc:
            if kind is _TOOLS and isinstance(exc, TooLongError | OutOfTimeError):
                raise
            if _is_method_not_found(exc) or (is_optional and _is_lasting(exc)):
                self.absent[kind.field] = exc
            else:
                self.lost[kind.field] = exc
                self._warn(kind.method, f"{kind.method}: {exc}")
            return
        self.items[kind.field], warnings = await self._check(listing, kind)
        self.warnings += warnings
        if listing.odd_end:
            self._warn(kind.method, listing.odd_end)

    async def _check(self, listing: Listing, kind: ListedKind) -> tuple[list[JsonObject], list[SyncWarning]]:
        check = partial(check_items, listing.items, kind.rule, self.runtime_id, self.conversation.limits.schema_bytes)
        is_large = self.conversation.received_bytes > LARGE_BYTES
        return await asyncio.to_thread(check) if is_large else check()

    async def _read_in_any_session(self, kind: ListedKind) -> Listing:
        try:
            return await read_listing(self.session.ask, kind.method, kind.key, self.conversation.limits)
        except LostSessionError as exc:
            await self.session.start_again(exc)
            return await read_listing(self.session.ask, kind.method, kind.key, self.conversation.limits)

    def raise_if_nothing_was_read(self, declared: JsonObject | None) -> None:
        """Raise the first failure if no listing could be read, and the server declares one or failed to give one."""
        failures = [*self.lost.values(), *self.absent.values()]
        is_empty = not self.lost and not declared
        if not self.items and not is_empty:
            raise failures[0]

    def _warn(self, name: str, message: str) -> None:
        self.warnings.append(SyncWarning("listing", name, self.runtime_id, clean_error(message)))


def _is_declared(capabilities: JsonObject, kind: ListedKind) -> bool:
    return capabilities.get(kind.capability) not in (None, False)


def _is_method_not_found(exc: EnrichmentError) -> bool:
    if isinstance(exc, RpcError):
        return exc.code == _METHOD_NOT_FOUND
    return isinstance(exc, RefusedError) and exc.error.get("code") == _METHOD_NOT_FOUND


def _is_lasting(exc: EnrichmentError) -> bool:
    return not (isinstance(exc, RequestFault) and exc.is_passing)


def _storable(value: JsonObject | None) -> JsonObject:
    """Return the members of `value` that a database can store."""
    kept: JsonObject = {}
    for name, member in (value or {}).items():
        try:
            check_storable(member)
        except EnrichmentError:
            continue
        kept[name] = member
    return kept
