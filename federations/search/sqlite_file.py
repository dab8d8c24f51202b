"""The file of the SQLite index: created if it is missing, replaced if it is damaged.

Theory of operation. The index can be rebuilt from the registry at any time. A file that is missing, damaged or of
another schema is therefore replaced by an empty one, and the repair of the next sync fills it. Every write opens its
own connection: one that stayed open would still write to a file that was deleted. A thread that reads keeps its
connection, with the pages that SQLite has read, while the file has the same inode number and time of change; a
checkpoint changes that time too. A thread that forks closes it first; a process with other threads that read must not
fork, but for a program of its own (`exec`). Readers and the one writer do not wait for each other (WAL). Writers of all
threads and processes wait in SQLite's busy handler. The database of another program is never changed.

A new file must not get the name of a file that is in use: SQLite would truncate the `-shm` of the old file, and SIGBUS
would end every process that reads it. Therefore each call holds a shared flock(2) on a file beside the index, the
replacement takes the exclusive lock and removes the logs, and SQLite never creates the file (`mode=rw`). A connection
that was kept to the old file has mapped the removed log; its thread closes it when it reads again or ends, and SQLite
deletes no log by name when it closes a file that was moved.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

from core.private_files import PRIVATE_FILE, create_private_file, make_private_folder
from federations.search.base import SearchError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Raise it with every change of the schema or of the words that words.py makes. An index of another version is dropped.
SCHEMA_VERSION = 6
APPLICATION_ID = 0x66656468

# FTS5 keeps a list of the documents with each beginning of a word that has so many letters, and reads it as far as a
# search asks. For a longer beginning it first reads and merges the lists of all words that begin so, and those are as
# many as the joined forms: 0.1 s if 300,000 documents have one.
INDEXED_BEGINNINGS = range(1, 13)

# words.py makes the words, so the tokenizer only splits at spaces. `ascii` does that, and treats every letter beyond
# ASCII as part of a word, in any version of Unicode. No query has a phrase, so detail=column is enough. bm25.py counts
# the words of a column, so FTS5 does not.
_SCHEMA = (
    # A loss of power may damage the empty index. The next call detects the damage and replaces the file.
    "PRAGMA synchronous = OFF",
    """CREATE TABLE resources (
        resource_id TEXT PRIMARY KEY, federation_id TEXT NOT NULL, stamp TEXT NOT NULL, model TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX resources_of_federation ON resources (federation_id)",
    """CREATE TABLE documents (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, resource_id TEXT NOT NULL, federation_id TEXT NOT NULL,
        names TEXT NOT NULL, tags TEXT NOT NULL, text TEXT NOT NULL, joined_names TEXT NOT NULL, joined TEXT NOT NULL,
        facets TEXT NOT NULL, body TEXT NOT NULL
    )""",
    "CREATE INDEX documents_of_resource ON documents (resource_id)",
    f"""CREATE VIRTUAL TABLE words USING fts5 (
        names, tags, text, joined_names, joined, facets, content='documents', content_rowid='number',
        tokenize='ascii', detail='column', columnsize=0, prefix='{" ".join(map(str, INDEXED_BEGINNINGS))}'
    )""",
    # The vectors of meaning.py; both are empty without a model.
    "CREATE TABLE vectors (number INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL)",
    """CREATE TABLE signs (
        resource_id TEXT NOT NULL, kind TEXT NOT NULL, federation_id TEXT NOT NULL, model TEXT NOT NULL,
        numbers BLOB NOT NULL, bits BLOB NOT NULL
    )""",
    "CREATE INDEX signs_of_resource ON signs (resource_id)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
    "PRAGMA journal_mode = WAL",
)
_MARKS = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
_LOCK_POLL_SECONDS = 0.01


class _UnusableError(Exception):
    """Raised inside SqliteFile if the file cannot be used as an index, so that SqliteFile replaces the file.

    `inode` is the inode number of the unusable file, or None if there is no file.
    """

    def __init__(self, reason: str, inode: int | None) -> None:
        super().__init__(reason)
        self.inode = inode


@dataclass(frozen=True, slots=True)
class _File:
    """The inode number of a file and the time of its last change, by which it is told from another one."""

    inode: int
    changed_ns: int


_Connect = Callable[[_File], AbstractContextManager[sqlite3.Connection]]


class _Kept(threading.local):
    """The connection with which a thread reads, and the file for which it was opened."""

    _connection: sqlite3.Connection | None = None
    _file: _File | None = None

    def connection_to(self, file: _File) -> sqlite3.Connection | None:
        """Return the connection if it was opened for this file, or None."""
        return self._connection if self._file == file else None

    def keep(self, connection: sqlite3.Connection, file: _File) -> None:
        """Keep this connection instead of the one that is kept."""
        self.drop()
        self._connection, self._file = connection, file

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._connection:
            self._connection.close()
        self._connection = self._file = None


_FILES: WeakSet[SqliteFile] = WeakSet()


class SqliteFile:
    """The file of a SqliteSearchIndex: this class opens, creates and replaces it.

    Threads and processes may share the file at `path`. A writer waits at most `busy_timeout_seconds` for the others.
    """

    def __init__(self, path: Path, *, busy_timeout_seconds: float) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._kept = _Kept()
        _FILES.add(self)

    def read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Call `operation` on one snapshot. Raise SearchError if the file cannot be read."""
        return self._run(self._kept_connection, "BEGIN", operation)

    def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Call `operation` in one transaction. Raise SearchError, with nothing written, if it cannot be committed."""
        return self._run(self._own_connection, "BEGIN IMMEDIATE", operation)

    @property
    def _lock_path(self) -> Path:
        # The name is hidden, so that a delete of the index by a pattern does not delete the lock.
        return self._path.with_name(f".{self._path.name}.lock")

    def _run(self, connect: _Connect, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        try:
            # The lock file stays after the first use, even if a person deletes the index.
            is_first_use = not self._lock_path.exists()
            try:
                return self._attempt(connect, begin, operation)
            except _UnusableError as exc:
                level = logging.INFO if is_first_use and exc.inode is None else logging.WARNING
                logger.log(level, "The search index %s is %s; an empty one replaces it", self._path, exc)
                self._replace_file(exc.inode)
                return self._attempt(connect, begin, operation)
        except (sqlite3.Error, OSError, UnicodeError, _UnusableError) as exc:
            raise SearchError(f"search index {self._path}: {exc}") from exc

    def _attempt(self, connect: _Connect, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
        with self._locked(fcntl.LOCK_SH):
            file = _file_at(self._path)
            if file is None:
                raise _UnusableError("missing", None)
            try:
                with connect(file) as connection:
                    return _in_transaction(connection, begin, operation)
            except sqlite3.DatabaseError as exc:
                if _is_damage(exc):
                    raise _UnusableError(f"damaged ({exc})", file.inode) from exc
                raise

    @contextmanager
    def _own_connection(self, file: _File) -> Iterator[sqlite3.Connection]:
        with closing(self._open(file)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection

    @contextmanager
    def _kept_connection(self, file: _File) -> Iterator[sqlite3.Connection]:
        connection = self._kept.connection_to(file)
        if connection is None:
            connection = self._open(file)
            self._kept.keep(connection, file)
        try:
            yield connection
        except BaseException:
            self._kept.drop()
            raise

    def _open(self, file: _File) -> sqlite3.Connection:
        """Return a new connection. Raise _UnusableError for another version, SearchError for another program's file."""
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=self._busy_timeout_seconds, isolation_level=None)
        try:
            application_id, version = connection.execute(_MARKS).fetchone()
            if application_id != APPLICATION_ID:
                raise SearchError(f"{self._path} is another program's database, not a search index")
            if version != SCHEMA_VERSION:
                raise _UnusableError("of another version", file.inode)
        except BaseException:
            connection.close()
            raise
        return connection

    def _replace_file(self, inode: int | None) -> None:
        """Replace the file with the number `inode` by an empty index, unless another process has replaced it.

        The old file is renamed, not deleted. A wrong path in the settings therefore destroys nothing, and the new file
        cannot get the inode number of the old one, by which other processes recognize it.
        """
        with self._locked(fcntl.LOCK_EX):
            file = _file_at(self._path)
            if (file and file.inode) != inode:
                return
            _remove_logs(self._path)
            if inode is not None:
                self._path.replace(f"{self._path}.set-aside")
            fresh = Path(f"{self._path}.new")
            _create(fresh)
            fresh.replace(self._path)

    @contextmanager
    def _locked(self, mode: int) -> Iterator[None]:
        """Hold the lock. Raise TimeoutError after the busy timeout, because a stopped process may hold the lock."""
        make_private_folder(self._path.parent)
        with open(self._lock_path, "ab", opener=create_private_file) as lock:
            deadline = time.monotonic() + self._busy_timeout_seconds
            while not _try_lock(lock.fileno(), mode):
                if time.monotonic() > deadline:
                    raise TimeoutError("another process keeps the file locked")
                time.sleep(_LOCK_POLL_SECONDS)
            yield


def _drop_kept_connections() -> None:
    """Close the connections that this thread keeps: SQLite would take its locks for those of the child too."""
    for file in list(_FILES):
        file._kept.drop()


os.register_at_fork(before=_drop_kept_connections)


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create(path: Path) -> None:
    """Create an empty index at `path`. Overwrite the remains of a crash."""
    path.unlink(missing_ok=True)
    _remove_logs(path)
    # SQLite gives the logs the mode of the file.
    path.touch(PRIVATE_FILE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in _SCHEMA:
            connection.execute(statement)


def _remove_logs(path: Path) -> None:
    """Delete the logs beside a database. SQLite would replay them into the next database with that name."""
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _in_transaction(connection: sqlite3.Connection, begin: str, operation: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute(begin)
    try:
        result = operation(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Closing the connection rolls back too, but the caller may use the connection before that.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _file_at(path: Path) -> _File | None:
    """Return what tells the file from another one, or None if it is missing or empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _File(status.st_ino, status.st_mtime_ns) if status.st_size else None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether SQLite says that the file is damaged. The low byte of an extended code is the primary code."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
