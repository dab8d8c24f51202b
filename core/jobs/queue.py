"""Ask a worker to do something, by the name of a Celery task.

A message is only a nudge. What is to be done stands in rows, which the beat's sweep nudges again; so a message that is
lost, doubled or never sent costs time, not work, and a broker that is down fails no request.
"""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import KombuError

from core.store.units import after_commit

logger = logging.getLogger(__name__)


def enqueue(name: str, *args: str | list[str]) -> None:
    """Send the Celery task `name` with `args` once the open transaction has committed; at once where none is open.

    Takes names, not functions, so that services need not import the tasks that call them. A broker that cannot be
    reached is logged as a warning and is no error.
    """
    after_commit(_send, name, args)


def _send(name: str, args: tuple[str | list[str], ...]) -> None:
    try:
        # Retried by the sweep, not here: the caller is a request that somebody waits for.
        current_app.send_task(name, args=args, retry=True, retry_policy={"max_retries": 0})
    except (OSError, KombuError) as exc:
        logger.warning("The broker did not take %s%s; the next sweep sends it again: %s", name, args, exc)
