"""What a worker does with a dispatch or an owed callback that it has taken: lease, pause, hold.

The parameter `token` is the lease token of the worker. A worker that has lost its lease changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from peers.models import Dispatch, DispatchState, OutboundCallback
from peers.models.outbox import OutboxRow
from peers.services.outbox.backoff import LONGEST_PAUSE, retry_delay, scattered

Message = TypeVar("Message", Dispatch, OutboundCallback)


def lease_length() -> timedelta:
    """Return for how long a worker takes a message. Each request to a peer ends sooner than that."""
    return timedelta(seconds=settings.FEDHUB_JOB_LEASE_SECONDS)


def leased_row(message: Message, token: str) -> QuerySet[Message]:
    """Return the message's row while the worker with this lease token has it, else an empty query set."""
    return type(message)._default_manager.filter(pk=message.pk, lease_token=token)


def unanswered_row(message: Message, token: str) -> QuerySet[Message]:
    """Return the message's leased row, or an empty query set for a dispatch on which the peer has already reported."""
    rows = leased_row(message, token)
    # A callback may have told of the work while the request that brought it seemed to fail.
    return rows.filter(status=DispatchState.PENDING) if isinstance(message, Dispatch) else rows


def retry_horizon() -> timedelta:
    """Return for how long a message is tried: one hour less than FEDHUB_ENVELOPE_MAX_AGE, so it is not stale."""
    return timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE) - LONGEST_PAUSE


def uncount_attempt(message: Message) -> None:
    """Undo the attempt that taking the message has counted, because nothing was sent."""
    # Where the peer was suspended and resumed meanwhile, the count already starts from 0 again.
    message.attempts = max(0, message.attempts - 1)


def put_off(
    message: Message, token: str, error: str, *, now: datetime, not_before: datetime, hold_reason: str = ""
) -> None:
    """Set the time of the next attempt, `not_before` at the earliest; with a `hold_reason` the message is held."""
    pause = retry_delay(message.attempts, first_seconds=settings.FEDHUB_RETRY_SECONDS)
    due_at = None if hold_reason else max(now + pause, not_before)
    columns = reason_columns(message, hold_reason or error)
    unanswered_row(message, token).update(due_at=due_at, lease_token="", **columns)


def postpone(message: Message, token: str, why: str, *, now: datetime, until: datetime) -> None:
    """Let a message wait until `until`, the end of an open circuit or of a pause that the peer asked for.

    The wait does not count as an attempt, and the error of the last attempt stays. `why` is the reason that staff see.
    """
    uncount_attempt(message)
    columns = {"reason": why} if isinstance(message, Dispatch) else {} if message.attempts else {"last_error": why}
    row = unanswered_row(message, token)
    row.update(due_at=scattered(until, now=now), lease_token="", attempts=message.attempts, **columns)


def hold(message: Message, token: str, why: str) -> None:
    """Let a message wait, without a due time, for a decision about its peer. The wait does not count as an attempt."""
    uncount_attempt(message)
    columns = {"reason": why} if isinstance(message, Dispatch) else {"last_error": why}
    leased_row(message, token).update(due_at=None, lease_token="", attempts=message.attempts, **columns)


def failure_text(message: Message, error: str) -> str:
    """Return the text of the journal line of an attempt that failed and is followed by another one."""
    # The circuit breaker and the number of attempts bound these lines.
    return f"Attempt {message.attempts} failed: {error}"


def reason_columns(row: OutboxRow, text: str) -> dict[str, str]:
    """Return the columns in which the row stores the text of an error or a reason: a dispatch has two, others one."""
    return {"last_error": text, "reason": text} if isinstance(row, Dispatch) else {"last_error": text}
