"""The registry in MongoDB: its URL, its router, its migrations, and servers that cannot be used."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from secantus import SecantusDBServer

from core.store.databases import database, mongodb_database

PROGRAM = """
import json
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from federations.models import Federation
from core.store.unit_of_work import unit_of_work
from fedhub.checks import check_registry

def error_of(function):
    try:
        function()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    return ""

def use():
    with unit_of_work():
        Federation.objects.create(display_name="One")

found = {
    "checks": [[message.id, message.hint] for message in check_registry(None, databases=["default", "registry"])],
    "migrate": error_of(lambda: call_command("migrate", verbosity=0, skip_checks=False)),
    "use": error_of(use),
    "health": Client(headers={"host": "localhost"}).get("/readyz").json(),
}
if not found["migrate"]:
    found["tables"] = {alias: connections[alias].introspection.table_names() for alias in ("default", "registry")}
    found["pending"] = error_of(lambda: call_command("migrate", check_unapplied=True, verbosity=0))
    found["rows"] = [Federation.objects.count(), User.objects.count()]
print("FOUND" + json.dumps(found))
"""


Found = dict[str, Any]


def hub_on(uri: str, folder: Path) -> Found:
    """Return the results of a new hub with this MongoDB: checks, migrations, a write, and the health check."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "FEDHUB_"))}
    environment |= {"DJANGO_SETTINGS_MODULE": "fedhub.settings", "FEDHUB_VAR_DIR": str(folder), "MONGODB_URI": uri}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "FOUND" in done.stdout, done.stderr
    found: Found = json.loads(done.stdout.partition("FOUND")[2])
    return found


@pytest.fixture
def replica_set(tmp_path: Path) -> Iterator[SecantusDBServer]:
    yield from running(SecantusDBServer(storage_path=str(tmp_path / "data"), cache_size="64M"))


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[SecantusDBServer]:
    yield from running(SecantusDBServer(storage_path=str(tmp_path / "data"), cache_size="64M", replica_set_name=None))


def running(server: SecantusDBServer) -> Iterator[SecantusDBServer]:
    server.start()
    yield server
    server.stop()


def test_one_command_migrates_both_databases(replica_set: SecantusDBServer, tmp_path: Path) -> None:
    found = hub_on(f"{replica_set.uri}hub", tmp_path / "var")
    tables, health = found.pop("tables"), found.pop("health")
    assert health["status"] == "ready", health
    assert found == {"checks": [], "migrate": "", "use": "", "pending": "", "rows": [1, 0]}
    assert {"federations_federation", "peers_peer"} <= set(tables["registry"])
    assert not [name for name in tables["registry"] if not name.startswith(("federations_", "peers_", "django_migr"))]
    assert not [name for name in tables["default"] if name.startswith(("federations_", "peers_"))]
    assert {"auth_user", "auditlog_logentry", "django_celery_beat_periodictask"} <= set(tables["default"])


def test_a_server_without_transactions_is_refused_with_what_to_do(standalone: SecantusDBServer, tmp_path: Path) -> None:
    found = hub_on(f"{standalone.uri}hub", tmp_path / "var")
    ((check, hint),) = found["checks"]
    assert check == "fedhub.E005"
    assert "--replSet" in hint and "rs.initiate()" in hint
    assert "not a member of a replica set" in str(found["migrate"])
    assert str(found["use"]).startswith("NotSupportedError") and "--replSet" in str(found["use"])


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        # Bound but not listening: every connection is refused.
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        found = hub_on(f"mongodb://127.0.0.1:{port}/hub?serverSelectionTimeoutMS=200", tmp_path / "var")
    ((check, hint),) = found["checks"]
    assert check == "fedhub.E004"
    assert "Check that the server runs" in hint
    assert "SystemCheckError" in str(found["migrate"])
    assert str(found["use"]).startswith("DatabaseError: MongoDB does not answer")
    assert found["health"]["status"] == "unavailable"
    assert found["health"]["checks"]["database-registry"] == "does not answer"


def test_an_address_may_say_what_it_wants() -> None:
    settings = mongodb_database("mongodb://u:p%40ss@a:1,b:2/the%20hub?retryWrites=false&replicaSet=rs0")
    assert settings["NAME"] == "the hub"
    assert settings["HOST"].startswith("mongodb://u:p%40ss@a:1,b:2/")
    assert "retryWrites" not in settings["OPTIONS"]
    assert settings["OPTIONS"]["w"] == "majority"


def test_writes_are_retried_and_acknowledged_by_a_majority() -> None:
    options = database("mongodb+srv://cluster.example.org/hub")["OPTIONS"]
    assert (options["retryWrites"], options["w"]) == (True, "majority")


@pytest.mark.parametrize("uri", ["mongodb://host", "mongodb://host/", "mongodb:///hub", "http://host/hub"])
def test_an_address_without_host_or_database_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"mongodb://host/NAME"):
        mongodb_database(uri)
