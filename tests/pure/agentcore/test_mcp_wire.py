"""Event streams, and what the hub takes from the private side of the official SDK."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import ClientSession
from mcp.shared.dispatcher import CallOptions, Outbound
from mcp.types import DiscoverResult, Implementation, InitializedNotification, InitializeResult, ServerCapabilities

from federations.providers.agentcore.mcp_revisions import MODERN, OLDER, named_revisions, newest_common, second_offer
from federations.providers.agentcore.mcp_wire import EventReader, HttpDispatcher
from federations.providers.agentcore.refusals import BrokenConnectionError

RESPONSE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a\u2028"}]}}
NOTIFICATION = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}


def stream(end: str) -> bytes:
    lines = [
        ": comment",
        "id: 1",
        "retry: 10",
        "data:",
        "",
        "event: message",
        f"data: {json.dumps(NOTIFICATION)}",
        "",
        "event: message",
        *(f"data: {line}" for line in json.dumps(RESPONSE, indent=1, ensure_ascii=False).split("\n")),
        "",
        "data: after",
        "",
    ]
    return end.join([*lines, ""]).encode()


@given(data=st.data(), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_response_is_found_however_the_stream_is_cut(data: st.DataObject, end: str) -> None:
    body = stream(end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    reader = EventReader()
    chunks = [body[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert any(reader.feed(chunk) for chunk in chunks)
    assert reader.response == RESPONSE


def test_a_response_at_the_end_of_the_stream_needs_no_empty_line() -> None:
    reader = EventReader()
    assert not reader.feed(b"data: " + json.dumps(RESPONSE).encode())
    reader.end()
    assert reader.response == RESPONSE


@pytest.mark.parametrize("body", [b"", b": ping\n\n", b"data:\n\n", b"data: " + json.dumps(NOTIFICATION).encode()])
def test_a_stream_without_a_response_is_broken(body: bytes) -> None:
    reader = EventReader()
    assert not reader.feed(body)
    with pytest.raises(BrokenConnectionError, match="without a response"):
        reader.end()


class Recorder:
    """An `Outbound` that keeps what the SDK's session sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, CallOptions | None]] = []

    async def send_raw_request(self, method: str, params: Any, opts: CallOptions | None = None) -> dict[str, Any]:
        self.sent.append((method, params, opts))
        return {}

    async def notify(self, method: str, params: Any, opts: CallOptions | None = None) -> None:
        self.sent.append((method, params, opts))


def session_with(recorder: Recorder) -> ClientSession:
    assert isinstance(recorder, Outbound)
    return ClientSession(dispatcher=recorder, client_info=Implementation(name="hub", version="1"))  # type: ignore[arg-type]


def test_the_dispatcher_is_what_the_sdk_sends_by() -> None:
    assert issubclass(HttpDispatcher, Outbound)


def test_the_sdk_stamps_the_requests_of_the_stateless_era() -> None:
    recorder = Recorder()
    session = session_with(recorder)
    capabilities = ServerCapabilities()
    session.adopt(
        DiscoverResult(supported_versions=[MODERN[-1]], capabilities=capabilities, ttl_ms=0, cache_scope="private")
    )
    data: dict[str, Any] = {"method": "tools/list", "params": {"cursor": "2"}}
    options: CallOptions = {}
    session._stamp(data, options)
    assert options["headers"] == {"mcp-protocol-version": MODERN[-1], "mcp-method": "tools/list"}
    assert data["params"]["cursor"] == "2"
    assert data["params"]["_meta"] == {
        "io.modelcontextprotocol/protocolVersion": MODERN[-1],
        "io.modelcontextprotocol/clientInfo": {"name": "hub", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asyncio.run(session.send_discover(MODERN[-1]))
    ((method, params, opts),) = recorder.sent
    assert (method, params["_meta"]) == ("server/discover", data["params"]["_meta"])
    assert opts is not None
    assert opts["headers"] == {"mcp-protocol-version": MODERN[-1], "mcp-method": "server/discover"}
    assert opts["timeout"] == 10


def test_the_sdk_stamps_the_messages_of_the_older_era() -> None:
    recorder = Recorder()
    session = session_with(recorder)
    server = Implementation(name="s", version="1")
    session.adopt(
        InitializeResult(protocol_version="2025-03-26", capabilities=ServerCapabilities(), server_info=server)
    )
    data: dict[str, Any] = {"method": "tools/list"}
    options: CallOptions = {}
    session._stamp(data, options)
    assert (data, options) == ({"method": "tools/list"}, {"headers": {"mcp-protocol-version": "2025-03-26"}})
    asyncio.run(session.send_notification(InitializedNotification()))
    assert recorder.sent == [("notifications/initialized", None, {"headers": {"mcp-protocol-version": "2025-03-26"}})]


def test_the_sdk_knows_the_revisions_of_both_eras() -> None:
    assert (OLDER, MODERN) == (("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"), ("2026-07-28",))


@pytest.mark.parametrize(
    ("text", "data", "named"),
    [
        ("", {"supported": ["2025-06-18", 5, "x"]}, ("2025-06-18", "x")),
        ("use 2025-06-18", {"supported": []}, ("2025-06-18",)),
        ("use 2025-06-18", {"supported": "2025-03-26"}, ("2025-06-18",)),
        ("2025-11-25: not one of 2025-06-18, 2025-06-18 and 2024-11-05", None, ("2025-06-18", "2024-11-05")),
        ("2025-11-25 is not supported", [], ()),
        ("no", None, ()),
    ],
)
def test_a_refusal_names_revisions_in_its_data_or_its_text(text: str, data: object, named: tuple[str, ...]) -> None:
    assert named_revisions(text, data, "2025-11-25") == named


def test_the_newest_common_revision_is_the_newest_that_both_know() -> None:
    assert newest_common(["2024-11-05", "2025-06-18", "2099-01-01"], OLDER) == "2025-06-18"
    assert newest_common(["2026-07-28"], OLDER) is None


@pytest.mark.parametrize(
    ("answered", "second"), [("2024-10-07", "2024-11-05"), ("2025-05-01", "2025-03-26"), ("draft", "2025-06-18")]
)
def test_the_second_offer_is_the_newest_before_the_answered_one(answered: str, second: str) -> None:
    assert second_offer(answered, "2025-11-25") == second
