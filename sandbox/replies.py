"""Replies that a test writes out: an HTTP answer, a JSON-RPC result or error, an AWS error or a broken connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.strict_json import Json, JsonObject
from sandbox.faults import ERRORS, aws_error
from sandbox.rpc_calls import RpcCall
from sandbox.runtime_specs import InvalidSpecError

DISCONNECTS = ("before", "inside")
_KINDS = ("body", "result", "text", "error", "aws", "disconnect")
_OPTIONS = ("status", "headers", "message")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; exactly one of the six kinds is set.

    `body` is the whole body: a text as it is, an object as JSON. `result` is the result of a JSON-RPC response and
    `text` is the same as JSON text, for values that JSON objects cannot carry (NaN, halves of surrogate pairs, large
    integers). `error` is the error of a JSON-RPC response. `aws` is an error code of AWS, with the text `message`.
    `disconnect` closes the connection before the response or inside it. `status` is the HTTP status, 0 for the usual
    one; `headers` are added to the response.
    """

    body: Json = None
    result: JsonObject | None = None
    text: str | None = None
    error: JsonObject | None = None
    aws: str = ""
    disconnect: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def next_cursor(self) -> Json:
        """Return the `nextCursor` of a result, None if there is none or if the text is not JSON."""
        try:
            result = self.result if self.text is None else json.loads(self.text)
        except ValueError:
            return None
        return result.get("nextCursor") if isinstance(result, dict) else None

    def answer(self, call: RpcCall, *, streams: bool = False) -> ASGIApp:
        """Return the ASGI application that sends this reply to `call`; JSON-RPC as an event stream with `streams`."""
        if self.disconnect:
            return BrokenConnection(is_inside=self.disconnect == "inside")
        if self.aws:
            response = aws_error(self.aws, self.message, status=self.status or None)
            response.headers.update(self.headers)
            return response
        if self.text is None and self.result is None and self.error is None:
            return self._plain()
        message = self._message(call)
        if not streams:
            return Response(message, self.status or 200, {"content-type": "application/json", **self.headers})
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache", **self.headers}
        return Response(_event_stream(message), self.status or 200, headers)

    def _plain(self) -> Response:
        is_text = isinstance(self.body, str)
        content_type = "text/plain" if is_text else "application/json"
        body = str(self.body) if is_text else json.dumps(self.body)
        return Response(body.encode(), self.status or 200, {"content-type": content_type, **self.headers})

    def _message(self, call: RpcCall) -> bytes:
        if self.error is not None:
            member, value = "error", json.dumps(self.error)
        else:
            member, value = "result", json.dumps(self.result) if self.text is None else self.text
        return f'{{"jsonrpc": "2.0", "id": {json.dumps(call.request_id)}, "{member}": {value}}}'.encode()


def _event_stream(message: bytes) -> bytes:
    """Return an event stream with a log notification and then `message`, as servers with progress send them."""
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "working"}}
    lines = b"".join(b"data: " + line + b"\n" for line in message.splitlines())
    return f"event: message\ndata: {json.dumps(note)}\n\nevent: message\n".encode() + lines + b"\n"


class BrokenConnection:
    """An ASGI application that closes the connection before its response, or inside the body of the response."""

    def __init__(self, *, is_inside: bool) -> None:
        self._is_inside = is_inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection, and wait until the server knows it, because uvicorn would else answer 500."""
        if self._is_inside:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"jsonrpc": "2.0", ', "more_body": True})
        # ASGI has no message that closes a connection, so the transport of uvicorn's cycle is closed.
        receive.__self__.transport.close()  # type: ignore[attr-defined]
        message: Message = {}
        while message.get("type") != "http.disconnect":
            message = await receive()


def parse_reply(value: Json, name: str) -> Reply:
    """Return the reply that the admin API's object describes; raise InvalidSpecError with `name`."""
    if not isinstance(value, dict) or set(value) - {*_KINDS, *_OPTIONS}:
        raise InvalidSpecError(f"{name} must be an object of {', '.join((*_KINDS, *_OPTIONS))}")
    if sum(kind in value for kind in _KINDS) != 1:
        raise InvalidSpecError(f"{name} must have one of {', '.join(_KINDS)}")
    wanted: dict[str, type] = {
        "result": dict,
        "text": str,
        "error": dict,
        "aws": str,
        "disconnect": str,
        "status": int,
        "headers": dict,
        "message": str,
    }
    for member, kind in wanted.items():
        if member in value and type(value[member]) is not kind:
            raise InvalidSpecError(f"{name}.{member} must be a {kind.__name__}")
    if "aws" in value and value["aws"] not in ERRORS:
        raise InvalidSpecError(f"{name}.aws must be one of {', '.join(ERRORS)}")
    if "disconnect" in value and value["disconnect"] not in DISCONNECTS:
        raise InvalidSpecError(f"{name}.disconnect must be one of {', '.join(DISCONNECTS)}")
    return Reply(**value)  # type: ignore[arg-type]
