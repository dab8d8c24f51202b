"""The migrated database of a run: the first test process that needs a database makes it, and the others copy it."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

# The folder of the process that was started first: tests.settings.
SHARED = Path(os.environ.get("FEDHUB_TESTS_SHARED", "no run of tests"))
# In the folder of a hub its database has this name.
FILE = SHARED / "migrated" / "fedhub.sqlite3"
# A server that outlives the run must not keep it for the next one, whose migrations may be others.
POSTGRESQL_NAME = SHARED.name


def make_once(connection: Any) -> None:
    """Have Django's test database on this connection be a copy of the run's migrated database."""
    creation = connection.creation
    migrate = creation.create_test_db
    is_made, keep, take = {
        "sqlite": (FILE.exists, _keep_file, _take_file),
        "postgresql": (_is_on_server, _keep_on_server, _take_from_server),
    }[connection.vendor]

    def create_test_db(*arguments: Any, **options: Any) -> str:
        with (SHARED / "migrated.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_made():
                name = str(migrate(*arguments, **options))
                keep(connection)
                return name
            name = str(creation._get_test_db_name())
            take(name)
        connection.close()
        settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = name
        connection.ensure_connection()
        return name

    creation.create_test_db = create_test_db


def _keep_file(connection: Any) -> None:
    FILE.parent.mkdir(exist_ok=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(FILE)])


def _take_file(name: str) -> None:
    shutil.copy(FILE, name)


def _is_on_server() -> bool:
    with _server() as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [POSTGRESQL_NAME])
        return found.fetchone() is not None


def _keep_on_server(connection: Any) -> None:
    # PostgreSQL copies only what nobody is connected to.
    connection.close()
    with _server() as server:
        server.execute(f'CREATE DATABASE "{POSTGRESQL_NAME}" TEMPLATE "{connection.settings_dict["NAME"]}"'.encode())
    atexit.register(_drop_from_server)


def _drop_from_server() -> None:
    # A throw-away server may be gone by now.
    with suppress(psycopg.OperationalError), _server() as server:
        server.execute(f'DROP DATABASE "{POSTGRESQL_NAME}"'.encode())


def _take_from_server(name: str) -> None:
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{POSTGRESQL_NAME}"'.encode())


def _server() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True)
