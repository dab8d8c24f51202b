"""MCP servers of each era and with sessions, over HTTP, with the official client and by hand."""

from __future__ import annotations

import pytest
from mcp import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from core.strict_json import Json
from sandbox.client import SandboxClientError
from sandbox.raw_pages import make_page
from sandbox.runtime_specs import ALL_VERSIONS, LEGACY_VERSIONS, MODERN_VERSIONS
from tests.app.sandbox.conftest import Caller
from tests.app.sandbox.mcp_clients import MODERN, as_json, call, list_tools

TOOLS: list[Json] = [{"name": f"tool_{number}", "inputSchema": {"type": "object"}} for number in range(3)]
PAGES: Json = {"tools/list": [make_page("tools", TOOLS[:2], "more"), make_page("tools", TOOLS[2:])]}
# The same tools from the SDK's server and from the one made by hand, as JSON and as event streams.
SERVERS: dict[str, dict[str, Json]] = {
    "sdk": {"tools": TOOLS, "pageSize": 2, "streams": False},
    "sdk with streams": {"tools": TOOLS, "pageSize": 2, "streams": True},
    "raw": {"pages": PAGES, "streams": False},
    "raw with streams": {"pages": PAGES, "streams": True},
}
each_server = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
NAMES = ["tool_0", "tool_1", "tool_2"]


def add(caller: Caller, server: dict[str, Json], versions: tuple[str, ...], *, sessions: bool = False) -> None:
    caller.sandbox.admin.add("aged", "MCP", versions=[*versions], sessions=sessions, **server)


def test_the_revisions_are_those_of_the_sdk() -> None:
    assert (LEGACY_VERSIONS, MODERN_VERSIONS) == (HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS)


@each_server
@pytest.mark.parametrize(
    ("versions", "mode", "version"),
    [
        (MODERN_VERSIONS, "auto", MODERN),
        (MODERN_VERSIONS, MODERN, MODERN),
        (LEGACY_VERSIONS, "auto", "2025-11-25"),
        (LEGACY_VERSIONS, "legacy", "2025-11-25"),
        (ALL_VERSIONS, "auto", MODERN),
        (ALL_VERSIONS, "legacy", "2025-11-25"),
    ],
)
def test_the_official_client_lists_a_server_of_each_era(
    caller: Caller, server: dict[str, Json], versions: tuple[str, ...], mode: str, version: str
) -> None:
    add(caller, server, versions)
    found = list_tools(caller, "aged", mode=mode)
    assert (found.version, found.tools) == (version, NAMES)
    assert found.server in ("aged", "")


@each_server
@pytest.mark.parametrize("versions", [LEGACY_VERSIONS, ALL_VERSIONS])
def test_the_official_client_lists_a_server_with_sessions(
    caller: Caller, server: dict[str, Json], versions: tuple[str, ...]
) -> None:
    add(caller, server, versions, sessions=True)
    assert list_tools(caller, "aged", mode="legacy").tools == NAMES


@each_server
def test_the_official_client_fails_at_a_modern_server_in_its_legacy_mode(
    caller: Caller, server: dict[str, Json]
) -> None:
    add(caller, server, MODERN_VERSIONS)
    refused = pytest.RaisesExc(MCPError, match="Unsupported protocol version")
    with pytest.RaisesGroup(refused, flatten_subgroups=True):
        list_tools(caller, "aged", mode="legacy")


@each_server
def test_a_modern_server_refuses_initialize_and_names_its_revision(caller: Caller, server: dict[str, Json]) -> None:
    add(caller, server, MODERN_VERSIONS)
    for answer in (call(caller, "aged", "initialize"), call(caller, "aged", "tools/list")):
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["data"]["supported"]) == (-32022, [MODERN])


@each_server
def test_a_legacy_server_refuses_the_modern_header(caller: Caller, server: dict[str, Json]) -> None:
    add(caller, server, LEGACY_VERSIONS)
    answer = call(caller, "aged", "server/discover", modern=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert "Unsupported protocol version: 2026-07-28" in answer.json()["error"]["message"]


@each_server
def test_a_server_of_one_old_revision_refuses_a_newer_one(caller: Caller, server: dict[str, Json]) -> None:
    add(caller, server, ("2025-03-26",))
    refused = call(caller, "aged", "initialize", {"protocolVersion": "2025-11-25"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (200, -32602)
    assert refused.json()["error"]["data"] == {"supported": ["2025-03-26"], "requested": "2025-11-25"}
    accepted = as_json(call(caller, "aged", "initialize", {"protocolVersion": "2025-03-26"}))
    assert accepted["result"]["protocolVersion"] == "2025-03-26"


@each_server
def test_a_server_with_sessions_needs_a_session_it_knows(caller: Caller, server: dict[str, Json]) -> None:
    add(caller, server, LEGACY_VERSIONS, sessions=True)
    session_id = call(caller, "aged", "initialize").headers["mcp-session-id"]
    call(caller, "aged", "notifications/initialized", headers={"mcp-session-id": session_id})
    assert call(caller, "aged", "tools/list").status_code == 400
    assert call(caller, "aged", "tools/list", headers={"mcp-session-id": "0" * 32}).status_code == 404
    listed = call(caller, "aged", "tools/list", headers={"mcp-session-id": session_id})
    assert [tool["name"] for tool in as_json(listed)["result"]["tools"]] == ["tool_0", "tool_1"]


@each_server
def test_a_session_is_lost_once_in_a_conversation(caller: Caller, server: dict[str, Json]) -> None:
    add(caller, {**server, "behavior": {"lostSessionAt": "tools/list"}}, LEGACY_VERSIONS, sessions=True)

    def list_with(session_id: str) -> int:
        return call(caller, "aged", "tools/list", headers={"mcp-session-id": session_id}).status_code

    first = call(caller, "aged", "initialize").headers["mcp-session-id"]
    assert [list_with(first), list_with(first)] == [404, 404]
    second = call(caller, "aged", "initialize").headers["mcp-session-id"]
    assert [list_with(second), list_with(second)] == [200, 200]


@pytest.mark.parametrize("versions", [[], ["2023-01-01"], "2026-07-28", [7]])
def test_unknown_revisions_are_refused(caller: Caller, versions: Json) -> None:
    with pytest.raises(SandboxClientError, match="versions"):
        caller.sandbox.admin.add("refused", versions=versions)
