"""The checks that each process of the demo works."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
from celery import current_app
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import KombuError

from sandbox.demo.child_processes import Child, check_alive


class NotHealthyError(Exception):
    """A process runs but does not work in time; the message names the process and has the end of its log."""


def wait_until(probe: Callable[[], bool], child: Child, *, watched: Sequence[Child], seconds: float = 60) -> None:
    """Call `probe` until it returns True for `child`.

    Raises ProcessDiedError as soon as one of the `watched` children ends, NotHealthyError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not probe():
        check_alive(watched)
        if time.monotonic() > deadline:
            raise NotHealthyError(
                f"{child.name} did not work within {seconds:.0f} s. {child.log} ends:\n{child.log_tail()}"
            )
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Tell whether a GET of `url` gets the status 200."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def queue_is_drained(name: str) -> bool:
    """Tell whether a worker has taken every message of a queue from the broker."""
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            declared = channel.queue_declare(queue=name, passive=True)
    except (OSError, KombuError):
        return False
    return bool(declared.message_count == 0)


def beat_has_scheduled(since: datetime) -> bool:
    """Tell whether a beat started since `since`: a beat writes its schedule entries when it starts."""
    return bool(PeriodicTask.objects.filter(name__in=current_app.conf.beat_schedule, date_changed__gte=since).exists())
