"""One MCP server's session in either era, through the official SDK's `ClientSession` but with raw results.

The SDK negotiates and adds to each request what its revision asks for; a dispatcher of ours (`mcp_wire.py`) sends the
messages. The session's own list methods validate a whole result or raise, so `ask` takes only the stamp of the session,
which is private there; a test fails if a new SDK changes it.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

from mcp import ClientSession
from mcp.shared.dispatcher import CallOptions
from mcp.types import (
    ClientCapabilities,
    DiscoverResult,
    Implementation,
    InitializedNotification,
    InitializeRequestParams,
    InitializeResult,
    ServerCapabilities,
)

from federations.providers.agentcore.bounds import EnrichmentError
from federations.providers.agentcore.mcp_revisions import MODERN, OLDER
from federations.providers.agentcore.mcp_wire import HttpDispatcher, LostSessionError
from federations.sync.resources import JsonObject

_CLIENT = Implementation(name="fedhub", version="0.1.0")


class McpSession:
    """The messages to one MCP server. `revision` is the agreed revision of MCP, or empty before the agreement."""

    def __init__(self, dispatcher: HttpDispatcher) -> None:
        self.revision = ""
        self._dispatcher = dispatcher
        self._sdk = ClientSession(dispatcher=dispatcher, client_info=_CLIENT)  # type: ignore[arg-type]
        self._may_start_again = True

    async def discover(self, *, is_probe: bool = False) -> JsonObject:
        """Send `server/discover` in the newest revision of the stateless era and return the raw result.

        With `is_probe` a passing fault is repeated once, since the server may not know the request.
        """
        self._dispatcher.session_id = None
        self._dispatcher.is_probing = is_probe
        try:
            return await self._sdk.send_discover(MODERN[-1])
        finally:
            self._dispatcher.is_probing = False

    async def initialize(self, offered: str) -> JsonObject:
        """Send `initialize` with the revision `offered`, without a session, and return the raw result."""
        self._dispatcher.session_id = None
        return await self._dispatcher.send_raw_request("initialize", _initialize_params(offered))

    def agree_on_modern(self) -> None:
        """Speak the stateless era from now on."""
        self.revision = MODERN[-1]
        self._sdk.adopt(_discovered(self.revision))

    async def agree_on_older(self, revision: str) -> None:
        """Speak `revision`, one of the era with `initialize`, and notify the server, whose refusal is ignored."""
        self.revision = revision
        self._sdk.adopt(_initialized(revision))
        # A notification has no result that the hub needs. The next request shows whether the server listens.
        with contextlib.suppress(EnrichmentError):
            await self._sdk.send_notification(InitializedNotification())

    async def ask(self, method: str, params: dict[str, Any] | None) -> JsonObject:
        """Send a request in the agreed revision and return the raw result. Raises as the dispatcher does."""
        data: dict[str, Any] = {"method": method} if params is None else {"method": method, "params": params}
        options: CallOptions = {}
        self._sdk._stamp(data, options)
        return await self._dispatcher.send_raw_request(method, data.get("params"), options)

    async def start_again(self, lost: LostSessionError) -> None:
        """Begin a new session in place of a lost one. Raise `lost` if this is the second time."""
        if not self._may_start_again or self.revision not in OLDER:
            raise lost
        self._may_start_again = False
        await self.initialize(self.revision)
        await self.agree_on_older(self.revision)


@cache
def _initialize_params(revision: str) -> dict[str, Any]:
    params = InitializeRequestParams(protocol_version=revision, capabilities=ClientCapabilities(), client_info=_CLIENT)
    return params.model_dump(by_alias=True, mode="json", exclude_none=True)


# The SDK takes its stamps from a whole result. The server's own one may have parts that the SDK's model refuses.
@cache
def _initialized(revision: str) -> InitializeResult:
    return InitializeResult(protocol_version=revision, capabilities=ServerCapabilities(), server_info=_CLIENT)


@cache
def _discovered(revision: str) -> DiscoverResult:
    return DiscoverResult(
        supported_versions=[revision], capabilities=ServerCapabilities(), ttl_ms=0, cache_scope="private"
    )
