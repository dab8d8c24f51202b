"""JSON-RPC over MCP's streamable HTTP, as a dispatcher of the official SDK that gives raw results.

The SDK's own transport validates each message as a whole, hides the HTTP status of a refusal and starts several tasks a
server. This one sends one POST a message and returns the result as it was served (MCP, "Streamable HTTP").
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2
from mcp.client.streamable_http import MCP_SESSION_ID
from mcp.shared.dispatcher import CallOptions

from federations.providers.agentcore.bounds import EnrichmentError
from federations.providers.agentcore.lenient_json import parse_document
from federations.providers.agentcore.refusals import BrokenConnectionError, RefusedError
from federations.providers.agentcore.transport import Answer, BodyReader, Conversation, Patience, ReadBody, WholeBody
from federations.sync.resources import Json, JsonObject

_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
_NOT_FOUND = 404
LARGE_BYTES = 256 * 1024
# A carriage return at the end of the bytes may be the first half of CRLF.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class RpcError(EnrichmentError):
    """Raised for an answer that is a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"error {code}: {message}".rstrip(": "))
        self.code = code
        self.message = message
        self.data = data


class LostSessionError(EnrichmentError):
    """Raised where the server does not know the session of a request any more (MCP, "Session Management")."""


class HttpDispatcher:
    """Sends messages to the server at `url` within `conversation`. Implements the SDK's `Outbound`.

    `session_id` is the session that the last `initialize` began, or None. While `is_probing`, a passing fault is
    repeated only once.
    """

    def __init__(self, conversation: Conversation, url: str) -> None:
        self._conversation = conversation
        self._url = httpx2.URL(url)
        self._number = 0
        self.session_id: str | None = None
        self.is_probing = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> JsonObject:
        """Send a request and return the `result` of the answer, a JSON object.

        Raises RpcError for a JSON-RPC error with the status 200 or the code -32601, LostSessionError,
        EnrichmentError for an answer out of form, and otherwise as `Conversation.send` does.
        """
        self._number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self._number, "method": method}
        if params is not None:
            message["params"] = params
        options = opts or {}
        patience = Patience(options.get("timeout"), is_probe=self.is_probing)
        answer = await self._post(message, options, _result_reader, patience)
        if method == "initialize":
            self.session_id = answer.headers.get(MCP_SESSION_ID)
        is_large = self._conversation.received_bytes > LARGE_BYTES
        # In a thread: a large answer takes seconds, in which the event loop must serve the other runtimes.
        return await asyncio.to_thread(_result, answer) if is_large else _result(answer)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification. The body of the answer is not read."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        seconds = self._conversation.limits.notify_seconds
        await self._post(message, opts or {}, lambda _: _NoBody(), Patience(seconds))

    async def _post(self, message: dict[str, Any], opts: CallOptions, read: ReadBody, patience: Patience) -> Answer:
        headers = _HEADERS | opts.get("headers", {})
        session_id = self.session_id
        if session_id is not None:
            headers[MCP_SESSION_ID] = session_id
        body = json.dumps(message, separators=(",", ":")).encode()
        try:
            return await self._conversation.send(
                httpx2.Request("POST", self._url, headers=headers, content=body), read, patience
            )
        except RefusedError as exc:
            code = exc.error.get("code")
            if exc.status == _NOT_FOUND and session_id is not None and not exc.is_from_aws and code != -32601:
                raise LostSessionError(str(exc)) from exc
            raise


class _NoBody:
    """Reads no body."""

    def feed(self, chunk: bytes) -> bool:
        return True

    def end(self) -> None:
        pass


class EventReader:
    """Reads an event stream (WHATWG HTML, 9.2) up to the first event that is a JSON-RPC response.

    `response` is that response, or None.
    """

    def __init__(self) -> None:
        self.response: JsonObject | None = None
        self._rest: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> bool:
        """Read the events that `chunk` ends. Return True after the response."""
        self._rest.append(chunk)
        if b"\n" not in chunk and b"\r" not in chunk and not self._rest[0].endswith(b"\r"):
            return False
        *lines, rest = _LINE_END.split(b"".join(self._rest))
        self._rest = [rest]
        return any(self._take_line(line) for line in lines)

    def end(self) -> None:
        """Read the last event, which may lack its empty line. Raise BrokenConnectionError without a response."""
        for line in (*b"".join(self._rest).splitlines(), b""):
            if self._take_line(line):
                return
        raise BrokenConnectionError("the event stream ended without a response")

    def _take_line(self, line: bytes) -> bool:
        if line:
            field, _, value = line.partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
            return False
        data, self._data = b"\n".join(self._data), []
        self.response = _response_in(_parse(data)) if data else None
        return self.response is not None


def _result_reader(response: httpx2.Response) -> BodyReader:
    return EventReader() if _media_type(response.headers) == "text/event-stream" else WholeBody()


def _media_type(headers: httpx2.Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _result(answer: Answer) -> JsonObject:
    """Return the result in the answer. Raise RpcError for an error, EnrichmentError for something else."""
    response = answer.reader.response if isinstance(answer.reader, EventReader) else _json_response(answer)
    if response is None:
        raise EnrichmentError("the answer is not a JSON-RPC response")
    error = response.get("error")
    if isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
        raise RpcError(
            code if isinstance(code, int) else 0, message if isinstance(message, str) else "", error.get("data")
        )
    result = response.get("result")
    if not isinstance(result, dict):
        raise EnrichmentError("the answer is not valid MCP: the result is not an object")
    return result


def _json_response(answer: Answer) -> JsonObject | None:
    body = b"".join(answer.reader.parts) if isinstance(answer.reader, WholeBody) else b""
    media_type = _media_type(answer.headers)
    if not body.strip():
        raise EnrichmentError(f"the answer is empty (HTTP status {answer.status})")
    if media_type.startswith("text/html"):
        raise EnrichmentError("the answer is not JSON but text/html")
    try:
        return _response_in(_parse(body))
    except EnrichmentError as exc:
        raise EnrichmentError(f"{exc} ({media_type})" if media_type != "application/json" else str(exc)) from exc


def _parse(body: bytes) -> Json:
    try:
        return parse_document(body)
    except ValueError as exc:
        raise EnrichmentError("the answer is not JSON") from exc


def _response_in(value: Json) -> JsonObject | None:
    """Return the JSON-RPC response in a message, or in a batch (MCP 2025-03-26). Return None for other messages."""
    for message in value if isinstance(value, list) else [value]:
        if isinstance(message, dict) and ("result" in message or "error" in message) and "method" not in message:
            return message
    return None
