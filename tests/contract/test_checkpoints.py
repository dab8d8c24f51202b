"""A web process moves SQLite's log to the database file by itself, without waiting for a commit that does so."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connections

from core.store.unit_of_work import REGISTRY
from tests.contract.peer_hubs import Hub, template

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(connections[REGISTRY].vendor != "sqlite", reason="only SQLite has such a log"),
]
MAKE = "from peers.models import Intent\nIntent.objects.create(id='i-1', title='Moved')"


def test_a_commit_is_in_the_database_file_soon_after(tmp_path: Path) -> None:
    hub = Hub("hub", tmp_path / "hub")
    hub.create(template(tmp_path / "template"))

    def titles_in_the_file_alone() -> list[str]:
        copy = tmp_path / "copy.sqlite3"
        shutil.copy(hub.database, copy)
        with closing(sqlite3.connect(copy)) as connection:
            return [title for (title,) in connection.execute("SELECT title FROM peers_intent")]

    try:
        hub.start("web")
        # A reader keeps the log, which the last connection to the database would move at its end.
        with closing(sqlite3.connect(hub.database)) as reader:
            reader.execute("SELECT count(*) FROM peers_intent").fetchall()
            hub.do(MAKE)
            deadline = time.monotonic() + 20
            while titles_in_the_file_alone() != ["Moved"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        hub.kill()
