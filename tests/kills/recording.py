"""A lifecycle handler that appends a line to a file when it begins and when it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

from peers.protocol import on_federation_callback, on_federation_received
from peers.services.inbox.handler_events import ReceivedCallback, ReceivedEnvelope
from peers.services.inbox.work_progress import complete, report_progress
from tests.kills.points import FOLDER_VARIABLE, append, calls_path, passing


class Recording:
    """Does the work of each envelope in two steps and reports both; the result names its attempt."""

    @on_federation_received
    def work(self, envelope: ReceivedEnvelope) -> None:
        """Work on an envelope."""
        _write("begin", "received", envelope.received_id, envelope.dispatch_id, envelope.attempt)
        report_progress(envelope.received_id, state_delta={"status": "working"}, key="working")
        passing("event.in_handler", envelope.dispatch_id)
        complete(
            envelope.received_id,
            state_delta={"answer": envelope.intent_id, "attempt": envelope.attempt},
            usage={"llm_tokens": 1},
        )
        _write("end", "received", envelope.received_id, envelope.dispatch_id, envelope.attempt)

    @on_federation_callback
    def note(self, callback: ReceivedCallback) -> None:
        """Note a callback."""
        _write("begin", "callback", callback.callback_id, callback.dispatch_id, callback.attempt)
        passing("event.in_handler", callback.dispatch_id)
        _write("end", "callback", callback.callback_id, callback.dispatch_id, callback.attempt)


def _write(step: str, kind: str, source_id: str, dispatch_id: str, attempt: int) -> None:
    line = {"step": step, "kind": kind, "source_id": source_id, "dispatch_id": dispatch_id, "attempt": attempt}
    append(calls_path(Path(os.environ[FOLDER_VARIABLE])), line | {"at": time.time()})
