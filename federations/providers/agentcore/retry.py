"""The rules of retries: the faults that pass by themselves, and the wait before the next try."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

# HTTP and AWS call these temporary. AWS names the 424 of a runtime that is starting, and asks for exponential back-off
# after InternalServerException (500).
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.FAILED_DEPENDENCY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_RETRYABLE_CONFLICT = "RetryableConflictException"


def is_passing(status: int, error_type: str) -> bool:
    """Tell whether the same request may succeed later. `error_type` is the name of AWS's exception, or empty."""
    return status in _PASSING or (status == HTTPStatus.CONFLICT and _RETRYABLE_CONFLICT in error_type)


def retry_after_seconds(header: str, now: datetime) -> float:
    """Return the seconds that `Retry-After` asks for (RFC 9110, 10.2.3), at least 0; 0 for an unreadable header.

    The header has seconds or an HTTP date. `now` has a time zone.
    """
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def with_jitter(seconds: float) -> float:
    """Return between a half and the whole of `seconds`, so that many runtimes are not asked at the same moment."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - the wait is not a secret
