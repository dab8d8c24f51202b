"""The file under the SQLite index: opened for each call, made where it is missing, set aside where it is damaged.

Theory of operation. The index can be rebuilt from the registry at any time, so a file that is gone, damaged or of an
older schema is replaced by an empty one, and the next sync's repair fills it. Every call opens a connection of its own
(about a third of a millisecond): a connection that was kept would go on writing to a file that someone has deleted,
and could not cross a fork. Readers and the one writer do not wait for each other (WAL); writers queue up in SQLite's
busy handler, in whichever process they are. A database that is not ours is never touched, whatever its path.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from federations.search.base import SearchError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Raise it with every change of the schema, or of how words.py makes words: the old index is then dropped.
SCHEMA_VERSION = 1
APPLICATION_ID = 0x66656468

# Words are made in Python, so the tokenizer has only to split at spaces: `ascii` does, and takes every letter beyond
# ASCII for part of a word whatever its Unicode version. Phrases are never asked for, hence detail=column.
_SCHEMA = (
    "DROP TABLE IF EXISTS words",
    "DROP TABLE IF EXISTS documents",
    "DROP TABLE IF EXISTS resources",
    """CREATE TABLE resources (
        resource_id TEXT PRIMARY KEY, federation_id TEXT NOT NULL, stamp TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX resources_of_federation ON resources (federation_id)",
    """CREATE TABLE documents (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, resource_id TEXT NOT NULL,
        federation_id TEXT NOT NULL, squashed_name TEXT NOT NULL, body TEXT NOT NULL
    )""",
    "CREATE INDEX documents_of_resource ON documents (resource_id)",
    "CREATE VIRTUAL TABLE words USING fts5 (name, tags, text, tokenize='ascii', detail='column', prefix='2 3')",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class SqliteFile:
    """One index file at `path`, shared with any number of threads and processes."""

    def __init__(self, path: Path, *, busy_timeout_seconds: float) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds

    def read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Call `operation` on one snapshot; raise SearchError where there is none to be had."""
        return self._run("BEGIN", operation)

    def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Call `operation` in one transaction, all of it or nothing; raise SearchError where it cannot be."""
        return self._run("BEGIN IMMEDIATE", operation)

    def _run(self, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        seen = _identity(self._path)
        try:
            try:
                return self._attempt(begin, operation)
            except sqlite3.DatabaseError as exc:
                if not _is_damage(exc):
                    raise
                logger.warning("The search index %s is damaged (%s); it begins anew", self._path, exc)
                self._set_aside(seen)
                return self._attempt(begin, operation)
        except (sqlite3.Error, OSError, UnicodeError) as exc:
            raise SearchError(f"search index {self._path}: {exc}") from exc

    def _attempt(self, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        with self._connection() as connection:
            if not _is_current(connection):
                self._prepare(connection)
            return _in_transaction(connection, begin, operation)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=self._busy_timeout_seconds, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
        finally:
            connection.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables of this version, unless another process was quicker."""
        if not _is_ours(connection) and not _is_empty(connection) and not _is_ours(connection):
            # Asked twice: another process may have made the tables, and with them the mark, in between.
            raise SearchError(f"{self._path} is another program's database, not a search index")
        connection.execute("PRAGMA journal_mode = WAL")

        def create_where_needed(connection: sqlite3.Connection) -> None:
            if not _is_current(connection):
                create_schema(connection)

        _in_transaction(connection, "BEGIN IMMEDIATE", create_where_needed)

    def _set_aside(self, seen: tuple[int, int] | None) -> None:
        """Move the damaged file away, unless another process has done so since it was `seen`.

        Its write-ahead log goes first: SQLite would replay it into the new file. A file is moved, never deleted: a
        path that names something else by mistake loses nothing.
        """
        if seen is None or _identity(self._path) != seen:
            return
        with suppress(FileNotFoundError):
            for suffix in ("-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self._path.replace(f"{self._path}.damaged")


def create_schema(connection: sqlite3.Connection) -> None:
    """Drop what an older version left, and make the tables anew, empty; the caller owns the transaction."""
    for statement in _SCHEMA:
        connection.execute(statement)


def _in_transaction(connection: sqlite3.Connection, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute(begin)
    try:
        result = operation(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Closing would do the same, but not before the next statement of a caller that goes on.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _is_ours(connection: sqlite3.Connection) -> bool:
    return _pragma(connection, "application_id") == APPLICATION_ID


def _is_current(connection: sqlite3.Connection) -> bool:
    return _is_ours(connection) and _pragma(connection, "user_version") == SCHEMA_VERSION


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one file from its successor at the same path: an inode number alone is used again."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell damage from trouble; the low byte of an extended code is its primary one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
