"""Threads read the SQLite index by connections that they keep while the file is the same one."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from federations.search.base import SearchError
from federations.search.sqlite import SqliteSearchIndex
from federations.search.sqlite_file import SqliteFile
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import total

ROOT = Path(__file__).parents[4]
WRITER = """
import sys
from pathlib import Path
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search.catalog import resource
index = SqliteSearchIndex(Path(sys.argv[1]))
index.replace([resource(f"ledger {number}") for number in range(100)])
"""
# A lock of SHARED on the file tells the others that this process reads it; SQLite takes it for its first connection.
FORK = """
import os, sys
from pathlib import Path
from federations.search.base import SearchQuery
from federations.search.sqlite import SqliteSearchIndex
path = Path(sys.argv[1])
index = SqliteSearchIndex(path)
def reads_with_lock():
    found = index.search(SearchQuery("invoice")).total == 4
    lines = Path("/proc/locks").read_text().splitlines()
    inode = path.stat().st_ino
    return found and any(f" {os.getpid()} " in line and f":{inode} " in line for line in lines if "POSIX" in line)
assert reads_with_lock()
child = os.fork()
if not child:
    os._exit(0 if reads_with_lock() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert reads_with_lock()
"""


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note each file that is opened."""
    noted: list[object] = []
    connect = SqliteFile._open

    def note(self: SqliteFile, file: Any) -> sqlite3.Connection:
        noted.append(file)
        return connect(self, file)

    monkeypatch.setattr(SqliteFile, "_open", note)
    return noted


def test_a_reader_keeps_its_connection_until_the_file_is_another(
    sqlite_index: SqliteSearchIndex, path: Path, openings: list[object]
) -> None:
    openings.clear()
    assert [total(sqlite_index) for _ in range(3)] == [4, 4, 4] and len(openings) == 1
    os.utime(path)
    assert [total(sqlite_index) for _ in range(3)] == [4, 4, 4] and len(openings) == 2
    path.unlink()
    assert [total(sqlite_index) for _ in range(3)] == [0, 0, 0] and len(openings) == 3


def test_a_reader_finds_what_another_process_wrote_since(sqlite_index: SqliteSearchIndex, path: Path) -> None:
    before = total(sqlite_index, "ledger")
    subprocess.run([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, check=True)
    assert total(sqlite_index, "ledger") == before + 100


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux alone shows the locks of a file")
def test_a_process_after_a_fork_has_a_connection_with_a_lock_of_its_own(
    sqlite_index: SqliteSearchIndex, path: Path
) -> None:
    subprocess.run([sys.executable, "-c", FORK, str(path)], cwd=ROOT, check=True)
    sqlite_index.replace(catalog.ALL)
    assert total(sqlite_index) == 4


def test_a_reader_that_fails_opens_the_file_again(sqlite_index: SqliteSearchIndex, openings: list[object]) -> None:
    assert total(sqlite_index) == 4
    openings.clear()

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT nothing")

    with pytest.raises(SearchError, match="nothing"):
        sqlite_index._file.read(fail)
    assert not openings
    assert (total(sqlite_index), len(openings)) == (4, 1)
