"""Messages to workers, by the name of a Celery task."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import current_app
from django.conf import settings
from kombu.exceptions import KombuError

from core.store.unit_of_work import after_commit
from core.tracing import trace_headers

MOST_SWEEPS = 4
LONGEST_WAIT = timedelta(minutes=2)

logger = logging.getLogger(__name__)


def enqueue(name: str, *args: str | list[str]) -> None:
    """Send the Celery task `name` with `args` after the open unit of work commits, or at once if none is open.

    The task has a name, not a function, so that services need not import the tasks that call them. If the broker
    cannot be reached, the function logs a warning and returns: the rows are the truth, and a sweep sends again.
    """
    after_commit(_send, name, args)


def enqueue_again(name: str, row_id: str) -> bool:
    """Send the Celery task `name` at once for a row that a sweep has found due; tell whether the broker took it.

    The message expires after `nudge_lifetime()`. The sweep sends the next message for the same row after that time, so
    a queue holds one valid message of the sweeps for each row, however slowly the workers take messages.
    """
    return _send(name, (row_id,), lifetime=nudge_lifetime())


def nudge_lifetime() -> timedelta:
    """Return how long a message of a sweep is valid: four sweeps, at most two minutes, but one sweep at least."""
    sweep = timedelta(seconds=settings.FEDHUB_SWEEP_SECONDS)
    return max(sweep, min(MOST_SWEEPS * sweep, LONGEST_WAIT))


def _send(name: str, args: tuple[str | list[str], ...], *, lifetime: timedelta | None = None) -> bool:
    try:
        # The sweep tries again, not this function: a person or a program waits for the request that calls it.
        current_app.send_task(
            name,
            args=args,
            # The task goes on with the trace of what sends it.
            headers=trace_headers(),
            expires=lifetime.total_seconds() if lifetime else None,
            retry=True,
            retry_policy={"max_retries": 0},
        )
    except (OSError, KombuError) as exc:
        logger.warning("The broker did not take %s%s; the next sweep sends it again: %s", name, args, exc)
        return False
    return True
