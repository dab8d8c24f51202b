"""Checkpoints of SQLite's write-ahead log, by a thread of each web process.

SQLite writes changed pages to a log, and moves them to the database file in a checkpoint. By itself it does so at the
end of the commit that makes the log long enough, so that one request in some dozens waits for the disk. Here a thread
moves the pages while requests go on. SQLite still bounds the log where no web process runs (`SQLITE_OPTIONS`).
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError, connections

from core.store.unit_of_work import REGISTRY

CHECKPOINT_SECONDS = 0.5

logger = logging.getLogger(__name__)


def make_checkpoints() -> None:
    """Start the thread of this process, if the registry is in SQLite."""
    if connections[REGISTRY].vendor == "sqlite":
        threading.Thread(target=_repeat, name="checkpoints", daemon=True).start()


def _repeat() -> None:
    while True:
        time.sleep(CHECKPOINT_SECONDS)
        try:
            with connections[REGISTRY].cursor() as cursor:
                # Waits for no reader and no writer (SQLite, PRAGMA wal_checkpoint).
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except DatabaseError:
            logger.warning("No checkpoint of the database's log", exc_info=True)
            connections[REGISTRY].close()
