"""Reads a database as it was at one moment, over a connection of its own, while other processes go on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections
from django.db.utils import load_backend
from pymongo.errors import PyMongoError

# Cursors of MongoDB raise the driver's errors.
READ_ERRORS = (DatabaseError, PyMongoError)
# The first query of each transaction chooses its moment.
_BEGIN = {
    "sqlite": ("BEGIN DEFERRED", "SELECT count(*) FROM sqlite_master"),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1"),
}


@contextmanager
def snapshot_of(alias: str) -> Iterator[str]:
    """Yield the alias of a new connection whose reads all see the database `alias` at one moment.

    SQLite (in WAL mode) and PostgreSQL keep the moment in a transaction that reads. MongoDB keeps it in a snapshot
    session: the server holds the moment for `minSnapshotHistoryWindowInSeconds`, five minutes by default, and a later
    read fails. Reads and this function raise READ_ERRORS.
    """
    known: Any = connections[alias]
    name = f"snapshot_of_{alias}"
    settings = {**known.settings_dict, "CONN_MAX_AGE": 0}
    connection: Any = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, name)
    connections[name] = connection
    try:
        _begin(connection)
        yield name
    finally:
        # This ends the transaction or the session.
        _end(connection)
        del connections[name]


def _begin(connection: Any) -> None:
    connection.ensure_connection()
    if connection.vendor == "mongodb":
        if not connection.has_transactions():
            raise DatabaseError("The MongoDB server is not a member of a replica set, and has no snapshots")
        connection.session = connection.connection.start_session(snapshot=True)
        return
    with connection.cursor() as cursor:
        for statement in _BEGIN[connection.vendor]:
            cursor.execute(statement)


def _end(connection: Any) -> None:
    if connection.vendor == "mongodb" and connection.session is not None:
        connection.session.end_session()
        connection.session = None
    connection.close()
