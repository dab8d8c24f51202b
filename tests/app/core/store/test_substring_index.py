"""The index of substrings is in step with every kind of write, and `migrate` makes it where it is missing."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, models
from pytest_django import DjangoDbBlocker

from core.store.copying import connect_as
from core.store.many_rows import update_each
from core.store.substrings import narrowing, postgresql, sqlite, with_candidates
from core.store.unit_of_work import REGISTRY, unit_of_work
from federations.models import McpServer
from tests.conftest import MakeServer, resource_columns
from tests.stores import migrated

VENDOR = connections[REGISTRY].vendor
THERE = "there"

pytestmark = pytest.mark.django_db
only_relational = pytest.mark.skipif(VENDOR == "mongodb", reason="MongoDB has no index of substrings")
only_sqlite = pytest.mark.skipif(VENDOR != "sqlite", reason="another database has no triggers")
only_postgresql = pytest.mark.skipif(VENDOR != "postgresql", reason="another database has no extensions")


def found(text: str, *, using: str = REGISTRY) -> set[str] | None:
    """Return the names of the servers that the index finds; None if it is not used."""
    rows = McpServer.objects.using(using)
    narrowed = with_candidates(rows, [text])
    return None if narrowed is rows else {server.server_name for server in narrowed}


def new(name: str, **columns: Any) -> McpServer:
    return McpServer(server_name=name, **resource_columns("mcp", name) | columns)


def run(statement: str, *, using: str = REGISTRY) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)


@only_relational
def test_each_kind_of_write_keeps_the_index_in_step(make_server: MakeServer) -> None:
    one, two = make_server(None, "one", title="first title"), make_server(None, "two", title="first title")
    assert found("first title") == {"one", "two"}

    one.title = "second title"
    one.save()
    assert (found("first title"), found("second title")) == ({"two"}, {"one"})

    McpServer.objects.filter(pk=two.pk).update(description="an updated text")
    assert (found("updated text"), found("two for tests")) == ({"two"}, set())

    one.description, two.description = "each of one", "each of two"
    with unit_of_work():
        update_each([one, two], ["description"], batch_size=10)
    assert (found("each of"), found("updated text")) == ({"one", "two"}, set())

    McpServer.objects.bulk_create([new("three", title="in bulk"), new("four", title="in bulk")])
    assert found("in bulk") == {"three", "four"}
    again = new("three", title="again in bulk", id=McpServer.objects.get(server_name="three").pk)
    McpServer.objects.bulk_create([again], update_conflicts=True, unique_fields=["id"], update_fields=["title"])
    assert found("again in bulk") == {"three"}

    run("UPDATE federations_mcpserver SET title = 'by hand', id = 'another id' WHERE server_name = 'two'")
    assert found("by hand") == {"two"}

    McpServer.objects.filter(server_name="one").delete()
    models.QuerySet(model=McpServer, using=REGISTRY).filter(server_name="three")._raw_delete(REGISTRY)
    run("DELETE FROM federations_mcpserver WHERE server_name = 'two'")
    assert found("agentcore") == {"four"}
    make_server(None, "five", title="by hand")
    assert found("by hand") == {"five"}


@pytest.fixture
def there(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Another migrated SQLite database, under the alias THERE, with a server of the name `one`."""
    shutil.copy(migrated.FILE, path := tmp_path / "there.sqlite3")
    with django_db_blocker.unblock(), connect_as(THERE, f"sqlite:///{path}"):
        McpServer.objects.using(THERE).bulk_create([new("one")])
        yield


@only_sqlite
def test_a_vacuum_leaves_the_index_in_step(there: None) -> None:
    servers = McpServer.objects.using(THERE)
    servers.bulk_create(new(f"server-{number}") for number in range(5))
    servers.filter(server_name__in=["one", "server-1", "server-3"]).delete()
    run("VACUUM", using=THERE)
    servers.bulk_create([new("server-5")])
    for number in (0, 2, 4, 5):
        assert found(f"server-{number}", using=THERE) == {f"server-{number}"}


@only_sqlite
def test_a_text_in_many_of_the_rows_is_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "FEW_CANDIDATES", 1)
    McpServer.objects.bulk_create(new(f"server-{n}", title="often" if n < 3 else "") for n in range(10))
    assert found("server-4") == {"server-4"}
    assert found("often") is None
    McpServer.objects.bulk_create(new(f"server-{n}") for n in range(10, 15))
    assert found("often") == {"server-0", "server-1", "server-2"}


@only_sqlite
def test_a_table_that_django_makes_anew_gets_its_triggers_back_by_the_next_migrate(there: None) -> None:
    old = McpServer._meta.get_field("title")
    changed = models.TextField(blank=True, null=True)
    changed.set_attributes_from_name("title")
    with connections[THERE].schema_editor() as editor:
        editor.alter_field(McpServer, old, changed)
    McpServer.objects.using(THERE).bulk_create([new("two", title="written without triggers")])
    # The index is out of step, so a search reads every row.
    assert found("without triggers", using=THERE) is None

    call_command("migrate", database=THERE, verbosity=0)
    assert found("without triggers", using=THERE) == {"two"}
    McpServer.objects.using(THERE).bulk_create([new("three", title="written with triggers")])
    assert found("written with", using=THERE) == {"two", "three"}


@only_sqlite
def test_migrations_back_and_forth_end_with_an_index(there: None) -> None:
    call_command("migrate", "federations", "0006", database=THERE, verbosity=0)
    call_command("migrate", database=THERE, verbosity=0)
    assert found("agentcore", using=THERE) == {"one"}


@only_sqlite
def test_a_column_that_the_triggers_name_can_be_dropped(there: None) -> None:
    class Plan:
        app_label = "federations"

    config = type("Config", (), {"label": "federations"})()
    narrowing._prepare(config, THERE, [(Plan, False)])
    run("ALTER TABLE federations_mcpserver DROP COLUMN title", using=THERE)
    # A state between two migrations: the table lacks a column, and the search does not use the index.
    narrowing._make(config, THERE)
    assert found("agentcore", using=THERE) is None
    run("ALTER TABLE federations_mcpserver ADD COLUMN title text NOT NULL DEFAULT 'anew'", using=THERE)
    narrowing._make(config, THERE)
    assert found("anew", using=THERE) == {"one"}


@only_relational
def test_an_index_of_other_columns_is_made_anew(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    make_server(None, "one", url="https://elsewhere.example")
    assert found("elsewhere") == set()
    of_federations = type("Config", (), {"label": "federations"})()
    monkeypatch.setattr(narrowing, "_registered", {})
    narrowing.register_index(McpServer, "server_name", "url")
    narrowing._make(of_federations, REGISTRY)
    assert (found("elsewhere"), found("agentcore")) == ({"one"}, set())


@only_sqlite
def test_an_old_sqlite_searches_and_writes_without_the_index(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_server(None, "one")
    monkeypatch.setattr(sqlite, "FIRST_VERSION", (99, 0))
    assert found("one") is None
    call_command("migrate", verbosity=0)
    # That version could not write with triggers that name a tokenizer it lacks.
    with connections[REGISTRY].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
        assert cursor.fetchone() == (0,)


@only_postgresql
def test_without_the_extension_migrate_warns_and_searches_scan(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_server(None, "one")
    run("DROP INDEX federations_mcpserver_trigrams")
    # A table with checks that wait for the end of a transaction gets no index in it.
    run("SET CONSTRAINTS ALL IMMEDIATE")
    monkeypatch.setattr(postgresql, "EXTENSION", "no_such_extension")
    with caplog.at_level(logging.WARNING):
        call_command("migrate", verbosity=0)
    assert "read every row of federations_mcpserver" in caplog.text
    assert found("one") is None
    monkeypatch.undo()
    call_command("migrate", verbosity=0)
    assert found("one") == {"one"}


@pytest.mark.skipif(not sqlite.is_supported(), reason="this SQLite lacks the tokenizer")
def test_every_letter_is_found_by_its_lower_case() -> None:
    """Python's lower case decides what a search finds; it knows letters that FTS5 does not."""
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and chr(code).lower() != chr(code)]
    assert len(letters) > 1400
    with sqlite3.connect(":memory:") as index:
        index.execute("CREATE VIRTUAL TABLE f USING fts5(t, content='', detail=none, tokenize='trigram')")
        index.executemany("INSERT INTO f (rowid, t) VALUES (?, ?)", enumerate((f"é{x}abcé{x}" for x in letters), 1))
        for row, letter in enumerate(letters, 1):
            match = sqlite._match([f"é{letter.lower()}abcé{letter.lower()}"])
            assert '"abc"' in match
            hits = index.execute("SELECT 1 FROM f WHERE f MATCH ? AND rowid = ?", (match, row)).fetchall()
            assert len(hits) == 1, hex(ord(letter))


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("A plain text", ["A plain text"]),
        ("Straße", ["straße"]),
        ("ЖУРНАЛ 漢字", ["журнал 漢字"]),
        ("é i", ["é "]),
        ("İst é", ["", "st é"]),
        ("xyzꭰé", ["xyz", "é"]),
    ],
)
def test_a_text_is_cut_where_letters_fold_otherwise(text: str, runs: list[str]) -> None:
    assert sqlite._runs(text) == runs


def test_a_long_text_has_few_trigrams() -> None:
    assert sqlite._match(["".join(map(chr, range(0x4E00, 0x4E00 + 500)))]).count(" AND ") == sqlite.MOST_TRIGRAMS - 1
