"""Messages to workers, by the name of a Celery task."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import KombuError

from core.store.unit_of_work import after_commit

logger = logging.getLogger(__name__)


def enqueue(name: str, *args: str | list[str]) -> None:
    """Send the Celery task `name` with `args` after the open unit of work commits, or at once if none is open.

    The task has a name, not a function, so that services need not import the tasks that call them. If the broker
    cannot be reached, the function logs a warning and returns: the rows are the truth, and a sweep sends again.
    """
    after_commit(_send, name, args)


def _send(name: str, args: tuple[str | list[str], ...]) -> None:
    try:
        # The sweep tries again, not this function: a person or a program waits for the request that calls it.
        current_app.send_task(name, args=args, retry=True, retry_policy={"max_retries": 0})
    except (OSError, KombuError) as exc:
        logger.warning("The broker did not take %s%s; the next sweep sends it again: %s", name, args, exc)
