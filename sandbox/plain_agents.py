"""Agents of the protocols HTTP and AGUI, which the hub lists and does not call."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from sandbox.runtime_specs import RuntimeSpec


def answer_plain(spec: RuntimeSpec) -> Response:
    """Return the answer to an invocation: an object for HTTP, an event stream with one message for AGUI."""
    text = f"{spec.name} heard you"
    if spec.protocol != "AGUI":
        return JSONResponse({"output": text})
    run = {"threadId": "thread-1", "runId": "run-1"}
    message = {"messageId": "message-1"}
    events = (
        {"type": "RUN_STARTED", **run},
        {"type": "TEXT_MESSAGE_START", **message, "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", **message, "delta": text},
        {"type": "TEXT_MESSAGE_END", **message},
        {"type": "RUN_FINISHED", **run},
    )
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Response(body, media_type="text/event-stream")
