"""Records when and from where a token was last used, without slowing the request that uses it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connections, router
from django.utils import timezone

from core.programs.foreign_tokens import Accepted
from core.programs.models import TokenUse

INTERVAL = timedelta(minutes=1)
"""The shortest time between two writes of one token's last use."""

MAX_NOTED = 1000

logger = logging.getLogger(__name__)

_noted: dict[tuple[str, str, str], float] = {}
"""When the log last named a subject of an issuer at an address, on the monotonic clock."""


def record_use(token: Any, address: str) -> None:
    """Record that a request from `address` uses `token`, an AccessToken that was loaded with its `last_use`.

    The function sends at most one statement, and none if the last use is recorded within INTERVAL: of several requests
    one writes. While another transaction holds SQLite's write lock, the use is not recorded; the next request tries
    again.
    """
    now = timezone.now()
    known: TokenUse | None = getattr(token, "last_use", None)
    if known is not None and now - known.used_at < INTERVAL:
        return
    use = {"used_at": now, "address": address[:64]}
    try:
        with _without_waiting():
            if known is None:
                TokenUse.objects.bulk_create([TokenUse(token_id=token.pk, **use)], ignore_conflicts=True)
            else:
                TokenUse.objects.filter(pk=token.pk, used_at=known.used_at).update(**use)
    except OperationalError as exc:
        logger.info("The use of token %s was not recorded: %s", token.pk, exc)


def note_foreign_use(accepted: Accepted, address: str) -> None:
    """Name in the log the issuer and the subject of a JWT, and the user for whom it acts: once a minute at most.

    The audit log names that user alone.
    """
    key, now = (accepted.issuer, accepted.subject, address), time.monotonic()
    if now - _noted.get(key, -INTERVAL.total_seconds()) < INTERVAL.total_seconds():
        return
    if len(_noted) >= MAX_NOTED:
        _noted.clear()
    _noted[key] = now
    logger.info("A JWT of %s for %r acts for %r from %s", accepted.issuer, accepted.subject, accepted.user, address)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Make a statement in the block fail at once where SQLite would wait up to 20 seconds for its write lock."""
    connection = connections[router.db_for_write(TokenUse)]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    waits = connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.connection.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.connection.execute(f"PRAGMA busy_timeout = {int(waits)}")
