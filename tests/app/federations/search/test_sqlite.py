"""The file of the SQLite index: shared, damaged, deleted, or of another version."""

import fcntl
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from federations.search import sqlite_file
from federations.search.base import SearchError, SearchPage, SearchQuery
from federations.search.documents import IndexableServer, documents_for_server
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import BILLING, resource, total

ROOT = Path(__file__).parents[4]
WRITER = """
import sys
from pathlib import Path
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search.catalog import resource
index = SqliteSearchIndex(Path(sys.argv[1]))
for number in range(20):
    index.replace([resource(f"ledger {sys.argv[2]} {number} {part}") for part in range(5)])
"""

PERSISTENT_WRITER = """
import logging, sys, threading
from pathlib import Path
from federations.search.base import SearchError, SearchQuery
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search.catalog import resource
logging.disable()
index = SqliteSearchIndex(Path(sys.argv[1]))
def use(number):
    for _ in range(40):
        try:
            index.replace([resource(f"ledger {sys.argv[2]} {number}")])
            index.search(SearchQuery("ledger"))
        except SearchError:
            pass
threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture
def index(sqlite_index: SqliteSearchIndex) -> SqliteSearchIndex:
    return sqlite_index


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_the_file_and_its_folders_are_made_on_first_use(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "search.sqlite3"
    index = SqliteSearchIndex(path)
    assert not path.parent.exists()
    assert total(index) == 0
    with opened(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_lost_file_is_a_warning_and_the_first_use_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "search.sqlite3"
    with caplog.at_level("INFO", logger=sqlite_file.__name__):
        SqliteSearchIndex(path).stamps("")
        path.unlink()
        SqliteSearchIndex(path).stamps("")
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_another_process_finds_what_this_one_indexed(index: SqliteSearchIndex, path: Path) -> None:
    assert total(SqliteSearchIndex(path)) == total(index) == 4


def test_a_replacement_is_all_or_nothing(index: SqliteSearchIndex) -> None:
    before = index.search(SearchQuery("invoice"))
    unstorable = catalog.resource("\ud800")
    with pytest.raises(SearchError):
        index.replace([resource("invoice new"), unstorable])
    assert index.search(SearchQuery("invoice")) == before


def test_threads_write_at_once_and_lose_nothing(path: Path) -> None:
    index = SqliteSearchIndex(path)

    def write(writer: int) -> None:
        for number in range(10):
            index.replace([resource(f"ledger {writer} {number} {part}") for part in range(5)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert total(index, "ledger") == len(index.stamps("finance")) == 8 * 10 * 5


def test_processes_write_at_once_and_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors.decode()
    index = SqliteSearchIndex(path)
    assert total(index, "ledger") == len(index.stamps("finance")) == 2 * 20 * 5
    assert total(index, "ledger one 19") == 5


def test_a_query_neither_waits_for_a_writer_nor_sees_half_of_its_work(index: SqliteSearchIndex, path: Path) -> None:
    with opened(path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM words")
        writer.execute("DELETE FROM documents")
        started = time.monotonic()
        assert total(index) == 4
        assert time.monotonic() - started < 2
        writer.execute("ROLLBACK")


def test_queries_during_a_large_replacement_see_the_old_or_the_new(path: Path) -> None:
    index = SqliteSearchIndex(path)
    batch = [resource(f"ledger {number}") for number in range(2_000)]
    index.replace(batch)
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(total(index, "ledger"))

    with ThreadPoolExecutor(2) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        index.replace(batch)
        index.replace([resource(f"ledger extra {number}") for number in range(500)])
        done.set()
        for watcher in watchers:
            watcher.result()
    assert seen
    assert seen <= {2_000, 2_500}


def test_a_writer_that_waits_too_long_raises_a_search_error(index: SqliteSearchIndex, path: Path) -> None:
    impatient = SqliteSearchIndex(path, busy_timeout_seconds=0.05)
    with opened(path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(SearchError, match="locked"):
            impatient.replace([resource("late")])
        writer.execute("ROLLBACK")
    impatient.replace([resource("late")])
    assert total(index, "late") == 1


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database " * 1_000)


def zeroed_pages(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(bytes(size - 4_096))


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


def folder_deleted(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize("harm", [garbage, zeroed_pages, cut_short, emptied, deleted, folder_deleted])
@pytest.mark.parametrize("first", ["search", "stamps", "replace", "delete", "delete_federation", "clear"])
def test_an_empty_file_replaces_a_harmed_one_and_can_be_filled(
    index: SqliteSearchIndex, path: Path, harm: Callable[[Path], None], first: str
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "search": lambda: index.search(SearchQuery("invoice")),
        "stamps": lambda: index.stamps("finance"),
        "replace": lambda: index.replace([BILLING]),
        "delete": lambda: index.delete([BILLING.resource_id]),
        "delete_federation": lambda: index.delete_federation("finance"),
        "clear": index.clear,
    }
    harm(path)
    calls[first]()
    assert total(index) == (3 if first == "replace" else 0)
    index.replace(catalog.ALL)
    assert total(index) == 4
    assert set(index.stamps("finance")) == {BILLING.resource_id}


def test_a_damaged_file_is_kept_aside(index: SqliteSearchIndex, path: Path) -> None:
    garbage(path)
    total(index)
    assert Path(f"{path}.set-aside").read_bytes().startswith(b"this is no database")


def test_a_write_after_a_delete_of_the_file_goes_to_a_new_file(path: Path) -> None:
    index = SqliteSearchIndex(path)
    for number in range(5):
        index.replace([resource(f"ledger {number}")])
        path.unlink()
        index.replace([resource("ledger after")])
        assert list(index.stamps("finance")) == ["ledger after"]


def test_a_file_harmed_under_writers_never_raises_anything_but_a_search_error(path: Path) -> None:
    index = SqliteSearchIndex(path)
    stop = threading.Event()

    def use(number: int) -> int:
        rounds = 0
        while not stop.is_set():
            rounds += 1
            try:
                index.replace([resource(f"ledger {number}")])
                total(index, "ledger")
            except SearchError:
                continue
        return rounds

    with ThreadPoolExecutor(4) as pool:
        users = [pool.submit(use, number) for number in range(4)]
        for harm in (deleted, garbage, emptied, deleted, garbage) * 3:
            time.sleep(0.03)
            if path.exists():
                harm(path)
        stop.set()
        assert all(user.result() for user in users)
    for _ in range(2):
        try:
            index.replace(catalog.ALL)
        except SearchError:
            continue
    assert total(index) == 4


def test_no_process_dies_when_the_file_is_deleted_under_it(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", PERSISTENT_WRITER, str(path), name], cwd=ROOT, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    while any(writer.poll() is None for writer in writers):
        path.unlink(missing_ok=True)
        time.sleep(0.03)
    assert [(writer.returncode, writer.communicate()[1].decode()[-500:]) for writer in writers] == [(0, "")] * 2
    index = SqliteSearchIndex(path)
    index.replace(catalog.ALL)
    assert total(index) == 4


def test_a_wait_for_a_stopped_holder_of_the_lock_ends(path: Path) -> None:
    index = SqliteSearchIndex(path, busy_timeout_seconds=0.05)
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_SH)
        with pytest.raises(SearchError, match="locked"):
            index.replace([BILLING])
    index.replace([BILLING])
    assert total(index) == 3


def test_another_version_of_the_schema_is_rebuilt_from_empty(index: SqliteSearchIndex, path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("DROP TABLE resources")
        connection.execute("CREATE TABLE resources (something_else)")
    assert index.stamps("finance") == {}
    assert total(index) == 0
    index.replace(catalog.ALL)
    assert total(index) == 4
    with opened(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (sqlite_file.SCHEMA_VERSION,)


@pytest.mark.parametrize("version", [0, sqlite_file.SCHEMA_VERSION])
def test_another_programs_database_is_left_alone(path: Path, version: int) -> None:
    with opened(path) as connection:
        connection.execute("CREATE TABLE documents (precious)")
        connection.execute("INSERT INTO documents VALUES ('keep me')")
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    index = SqliteSearchIndex(path)
    for call in (lambda: total(index), lambda: index.replace([BILLING]), index.clear):
        with pytest.raises(SearchError, match="another program's database"):
            call()
    assert path.read_bytes() == before


@pytest.mark.parametrize("location", ["a_file/search.sqlite3", "a_folder"])
def test_a_path_that_cannot_be_a_file_is_a_search_error(tmp_path: Path, location: str) -> None:
    (tmp_path / "a_file").write_text("in the way")
    (tmp_path / "a_folder").mkdir()
    index = SqliteSearchIndex(tmp_path / location)
    with pytest.raises(SearchError):
        index.search(SearchQuery("invoice"))
    with pytest.raises(SearchError):
        index.replace([BILLING])


def test_a_query_of_no_words_does_not_touch_the_file(path: Path) -> None:
    assert SqliteSearchIndex(path).search(SearchQuery("*")) == SearchPage((), 0)
    assert not path.exists()


def test_statements_do_not_grow_with_the_resources(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)  # type: ignore[call-overload]
        connection.set_trace_callback(statements.append)
        return connection

    index = SqliteSearchIndex(path)
    index.replace([resource("warm")])
    monkeypatch.setattr(sqlite3, "connect", traced)

    def cost(count: int) -> int:
        statements.clear()
        resources = [resource(f"ledger {number}") for number in range(count)]
        index.replace(resources)
        index.stamps("finance")
        index.search(SearchQuery("ledger", federation_ids=frozenset(str(number) for number in range(count))))
        index.delete([each.resource_id for each in resources])
        # A reader opens the file again after a checkpoint, which many rows bring about; FTS5 then reads its settings.
        other = ("--", "INSERT INTO", "SELECT application_id", "PRAGMA", "SELECT k, v FROM 'main'.'words_config'")
        return sum(not each.startswith(other) for each in statements)

    assert cost(200) == cost(2)


def test_a_thousand_resources_are_indexed_in_seconds(path: Path) -> None:
    batch = [
        documents_for_server(
            IndexableServer(
                resource_id=f"{number:024x}",
                federation_id="finance",
                name=f"server_{number}",
                path=f"/agentcore/mcp/server-{number}",
                description="Serves invoices for everyone in the house",
                version="1",
                enriched_at="2026-01-02T03:04:05Z",
                tools=[{"name": f"tool_{number}_{tool}", "description": "Fetch it " * 20} for tool in range(10)],
            )
        )
        for number in range(1_000)
    ]
    index = SqliteSearchIndex(path)
    started = time.monotonic()
    index.replace(batch)
    # This takes about one second on two idle cores. The bound detects a statement per document, which takes minutes.
    assert time.monotonic() - started < 15
    assert total(index, "server_999") == 11
    assert total(index, "fetch") == 10_000
