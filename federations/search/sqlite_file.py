"""The file under the SQLite index: opened for each call, made where it is missing, set aside where it is damaged.

Theory of operation. The index can be rebuilt from the registry at any time, so a file that is gone, damaged or of
another schema is replaced by an empty one, and the next sync's repair fills it. Every call opens a connection of its
own (well under a millisecond): a connection that was kept would go on writing to a file that someone has deleted, and
could not cross a fork. Readers and the one writer do not wait for each other (WAL); writers queue up in SQLite's busy
handler, in whichever process they are. A database that is not ours is never touched, whatever its path.

A new file must not appear under a name whose old file is still open: SQLite would cut the old one's `-shm` to nothing,
and whoever has that mapped dies of SIGBUS. So each call holds a shared flock(2) on a file beside the index, putting a
new file in place takes the exclusive one, and SQLite itself never creates the file (`mode=rw`).
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from federations.search.base import SearchError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Raise it with every change of the schema, or of how words.py makes words: the old index is then dropped.
SCHEMA_VERSION = 2
APPLICATION_ID = 0x66656468

# Words are made in Python, so the tokenizer has only to split at spaces: `ascii` does, and takes every letter beyond
# ASCII for part of a word whatever its Unicode version. Phrases are never asked for, hence detail=column.
_SCHEMA = (
    # What a loss of power may leave of an empty index is found damaged, and made again.
    "PRAGMA synchronous = OFF",
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
    "PRAGMA journal_mode = WAL",
)
_LOCK_POLL_SECONDS = 0.01


class _UnusableError(Exception):
    """There is no index in the file that was `seen`; None for no file."""

    def __init__(self, reason: str, seen: int | None) -> None:
        super().__init__(reason)
        self.seen = seen


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

    @property
    def _lock_path(self) -> Path:
        # A hidden name, so that deleting the index by a pattern leaves the lock that others hold.
        return self._path.with_name(f".{self._path.name}.lock")

    def _run(self, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        try:
            # Every use leaves the lock's file behind, even where somebody deletes the index.
            is_first_use = not self._lock_path.exists()
            try:
                return self._attempt(begin, operation)
            except _UnusableError as exc:
                level = logging.INFO if is_first_use and exc.seen is None else logging.WARNING
                logger.log(level, "The search index %s is %s; it begins anew", self._path, exc)
                self._begin_anew(exc.seen)
                return self._attempt(begin, operation)
        except (sqlite3.Error, OSError, UnicodeError, _UnusableError) as exc:
            raise SearchError(f"search index {self._path}: {exc}") from exc

    def _attempt(self, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        with self._locked(fcntl.LOCK_SH):
            seen = _identity(self._path)
            if seen is None:
                raise _UnusableError("missing", seen)
            try:
                with self._connection() as connection:
                    self._check(connection, seen)
                    return _in_transaction(connection, begin, operation)
            except sqlite3.DatabaseError as exc:
                if _is_damage(exc):
                    raise _UnusableError(f"damaged ({exc})", seen) from exc
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=self._busy_timeout_seconds, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
        finally:
            connection.close()

    def _check(self, connection: sqlite3.Connection, seen: int) -> None:
        if _pragma(connection, "application_id") != APPLICATION_ID:
            raise SearchError(f"{self._path} is another program's database, not a search index")
        if _pragma(connection, "user_version") != SCHEMA_VERSION:
            raise _UnusableError("of another version", seen)

    def _begin_anew(self, seen: int | None) -> None:
        """Put an empty index in the place of the file that was `seen`, unless another process has done so since.

        What is there is moved, never deleted: a path that names something else by mistake loses nothing, and its inode
        number is not used again at once, so that it tells the old file from the new.
        """
        with self._locked(fcntl.LOCK_EX):
            if _identity(self._path) != seen:
                return
            _remove_logs(self._path)
            if seen is not None:
                self._path.replace(f"{self._path}.set-aside")
            fresh = Path(f"{self._path}.new")
            _create(fresh)
            fresh.replace(self._path)

    @contextmanager
    def _locked(self, mode: int) -> Iterator[None]:
        """Hold the lock; raise TimeoutError rather than wait for ever for a process that was stopped."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock_path.open("ab") as lock:
            deadline = time.monotonic() + self._busy_timeout_seconds
            while not _try_lock(lock.fileno(), mode):
                if time.monotonic() > deadline:
                    raise TimeoutError("another process keeps it locked")
                time.sleep(_LOCK_POLL_SECONDS)
            yield


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create(path: Path) -> None:
    """Make an empty index at `path`, over what a crash has left there."""
    path.unlink(missing_ok=True)
    _remove_logs(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in _SCHEMA:
            connection.execute(statement)


def _remove_logs(path: Path) -> None:
    """Remove what SQLite keeps beside a database: it would be replayed into the next one of that name."""
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


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


def _identity(path: Path) -> int | None:
    """Return the inode number of a file with something in it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino if status.st_size else None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell damage from trouble; the low byte of an extended code is its primary one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
