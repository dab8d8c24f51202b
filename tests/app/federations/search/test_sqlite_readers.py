"""Threads read the SQLite index by connections that they keep while the file is the same one."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federations.search.base import SearchError, SearchQuery
from federations.search.sqlite import SqliteSearchIndex
from federations.search.sqlite_file import SqliteFile
from tests.app.federations.search import catalog

ROOT = Path(__file__).parents[4]
WRITER = """
import sys
from pathlib import Path
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search.catalog import resource
index = SqliteSearchIndex(Path(sys.argv[1]))
index.replace([resource(f"ledger {number}") for number in range(100)])
"""
FORK = """
import os, sys
from pathlib import Path
from federations.search import sqlite_file
from federations.search.base import SearchQuery
from federations.search.sqlite import SqliteSearchIndex
index = SqliteSearchIndex(Path(sys.argv[1]))
def is_found():
    return index.search(SearchQuery("invoice")).total == 4
assert is_found()
child = os.fork()
if not child:
    os._exit(0 if is_found() and len(sqlite_file._INHERITED) == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert is_found() and not sqlite_file._INHERITED
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search.sqlite3"


@pytest.fixture
def index(path: Path) -> SqliteSearchIndex:
    index = SqliteSearchIndex(path)
    index.replace(catalog.ALL)
    return index


def total(index: SqliteSearchIndex, text: str = "invoice") -> int:
    return index.search(SearchQuery(text)).total


def test_a_reader_keeps_its_connection_until_the_file_is_another(
    index: SqliteSearchIndex, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_for_reading: list[object] = []
    connect = SqliteFile._open

    def noted(self: SqliteFile, file: Any) -> sqlite3.Connection:
        opened_for_reading.append(file)
        return connect(self, file)

    monkeypatch.setattr(SqliteFile, "_open", noted)

    def openings(*harms: Callable[[Path], object]) -> int:
        opened_for_reading.clear()
        for harm in harms:
            harm(path)
        for _ in range(3):
            total(index)
        return len(opened_for_reading)

    assert (openings(), openings()) == (1, 0)
    assert openings(os.utime) == 1 and total(index) == 4
    assert openings(Path.unlink) == 1 and total(index) == 0


def test_a_reader_finds_what_another_process_wrote_since(index: SqliteSearchIndex, path: Path) -> None:
    before = total(index, "ledger")
    subprocess.run([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, check=True)
    assert total(index, "ledger") == before + 100


def test_a_process_after_a_fork_reads_by_a_connection_of_its_own(index: SqliteSearchIndex, path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK, str(path)], cwd=ROOT, check=True)
    index.replace(catalog.ALL)
    assert total(index) == 4


def test_a_reader_that_fails_opens_the_file_again(index: SqliteSearchIndex) -> None:
    assert total(index) == 4

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT nothing")

    with pytest.raises(SearchError, match="nothing"):
        index._file.read(fail)
    assert total(index) == 4
