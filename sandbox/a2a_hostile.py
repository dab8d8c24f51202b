"""Hostile agents: they send too much, or what no browser should show.

The SDK's own server keeps every event and gets slower with each, so the two that send very many events are written here
without it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from a2a.helpers.proto_helpers import new_text_part
from a2a.server.agent_execution import RequestContext
from a2a.server.tasks import TaskUpdater
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from core.strict_json import Json, JsonObject
from sandbox.a2a_workers import Worker

LARGE_CHARACTERS = 10 * 1024 * 1024
MANY_EVENTS = 100_000
MARKUP = "<script>alert(1)</script>\x07\x1b[31m\u202ered"
_TASK = "task-of-a-flood"
_LONG = "x" * 20_000


class Large(Worker):
    """Gives an artifact of 10 MB."""

    streams = True

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Send the artifact, then complete."""
        await updater.add_artifact([new_text_part("x" * LARGE_CHARACTERS)], artifact_id="large", name="large")
        return await self.finish(context, updater)


class Markup(Worker):
    """Answers with HTML, control characters and a text with directional overrides."""

    async def work(self, context: RequestContext, updater: TaskUpdater) -> str:
        """Give the artifact, and complete with the markup."""
        await updater.add_artifact([new_text_part(MARKUP)], artifact_id=MARKUP, name=MARKUP)
        await updater.complete(updater.new_agent_message([new_text_part(MARKUP)]))
        return "completed"


HOSTILE: Mapping[str, type[Worker]] = {"large": Large, "markup": Markup}


class Flood:
    """An agent of version 1.0 that streams `events` short status messages, or long ones without an end for None."""

    def __init__(self, events: int | None) -> None:
        self._events = events

    async def answer(self, request: Request) -> Response:
        """Answer one JSON-RPC request."""
        call = await request.json()
        context = str(call.get("params", {}).get("message", {}).get("contextId", ""))
        if call.get("method") in ("SendStreamingMessage", "SubscribeToTask"):
            return StreamingResponse(self._stream(call.get("id"), context), media_type="text/event-stream")
        state = "TASK_STATE_CANCELED" if call.get("method") == "CancelTask" else "TASK_STATE_WORKING"
        return JSONResponse(_result(call.get("id"), {"id": _TASK, "contextId": context, "status": {"state": state}}))

    async def _stream(self, call_id: Json, context: str) -> AsyncIterator[str]:
        yield _event(call_id, {"task": {"id": _TASK, "contextId": context, "status": _status("TASK_STATE_WORKING")}})
        number = 0
        while self._events is None or number < self._events:
            number += 1
            # The server notices a caller that has gone only while this generator waits.
            await asyncio.sleep(0)
            text = f"event {number} {_LONG if self._events is None else ''}"
            yield _event(call_id, _update(context, _status("TASK_STATE_WORKING", text)))
        yield _event(call_id, _update(context, _status("TASK_STATE_COMPLETED", "done")))


FLOODS: Mapping[str, int | None] = {"endless": None, "chatty": MANY_EVENTS}


def _status(state: str, text: str = "") -> JsonObject:
    message: JsonObject = {"role": "ROLE_AGENT", "messageId": "m", "parts": [{"text": text}]}
    return {"state": state, "message": message} if text else {"state": state}


def _update(context: str, status: JsonObject) -> JsonObject:
    return {"statusUpdate": {"taskId": _TASK, "contextId": context, "status": status}}


def _result(call_id: Json, result: JsonObject) -> JsonObject:
    return {"jsonrpc": "2.0", "id": call_id, "result": result}


def _event(call_id: Json, result: JsonObject) -> str:
    return f"data: {json.dumps(_result(call_id, result))}\n\n"
