"""Counts and spans of calls to AWS, and the difference between AWS's clock and the hub's."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.session import Session

from core.counts import Count
from core.tracing import describe, span
from federations.providers.base import CLOUD_CLOCK_SKEW

CALLS = Count("fedhub_aws_requests_total", "Calls to AWS's control plane and STS, after their retries.", ("result",))
_SPAN = "fedhub_span"


def count_calls(session: Session) -> None:
    """Let each call by clients of the session be counted and measured, and the skew of the clock be noted."""
    session.register("before-call", _begin)
    session.register("after-call", _note_answer)
    session.register("after-call-error", _note_error)


def _begin(model: Any = None, context: Any = None, **event: Any) -> None:
    context[_SPAN] = found = span(f"{model.service_model.service_id}.{model.name}", "client")
    found.__enter__()


def _note_answer(context: Any = None, **event: Any) -> None:
    http_response = event["http_response"]
    describe({"http.response.status_code": http_response.status_code})
    _end(context, None)
    CALLS.add(f"{http_response.status_code // 100}xx")
    skew = skew_seconds(str(http_response.headers.get("Date", "")), time.time())
    if skew is not None:
        CLOUD_CLOCK_SKEW.set(skew)


def _note_error(context: Any = None, exception: Any = None, **event: Any) -> None:
    _end(context, exception)
    CALLS.add("no_answer")


def _end(context: Any, error: BaseException | None) -> None:
    if found := context.pop(_SPAN, None):
        found.__exit__(type(error) if error else None, error, None)


def skew_seconds(date: str, now: float) -> float | None:
    """Return how many seconds AWS's clock is ahead of the hub's, or None if `date` is not a time.

    `date` is the header Date (RFC 9110, section 6.6.1), which has whole seconds; `now` is the hub's time.
    """
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return None
