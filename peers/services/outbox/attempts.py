"""The attempts to send a dispatch, as the dispatch keeps them for the page that tells what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.strict_json import Json, JsonObject
from peers.models import Dispatch
from peers.services.outbox.signed_requests import SendResult

MAX_KEPT = 30
"""A dispatch has a few attempts; one that staff try again for weeks keeps the last ones."""


def with_attempt(dispatch: Dispatch, sent: SendResult, *, now: datetime, answer: tuple[str, str] | None) -> list[Json]:
    """Return the log of a dispatch with one more attempt, which ended at `now`.

    `answer` is what the peer answered: a status of the dispatch, and the peer's message; None if it did not take it.
    """
    status, message = answer or ("", "")
    entry: JsonObject = {
        "number": dispatch.attempts,
        "at": (now - timedelta(milliseconds=sent.milliseconds)).isoformat(),
        "milliseconds": sent.milliseconds,
        "code": sent.status_code,
        "error": sent.error,
        "status": status,
        "message": message,
    }
    return [*dispatch.attempt_log, entry][-MAX_KEPT:]
