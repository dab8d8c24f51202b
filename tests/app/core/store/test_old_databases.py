"""A database that the first migrations made is migrated to the schema of a new one, and keeps its permissions.

The folder `old_schema` records what those migrations made: SQLite's `sqlite_master`, the statements of `sqlmigrate` on
PostgreSQL, and MongoDB's collections with their options and indexes. The migrations are listed in `OLD_MIGRATIONS`. Do
not update the record, because the databases of that time do not change either.

`rows.json` has rows of each kind of a hub with the migrations `RELEASED`. A test takes the later migrations back,
writes these rows, and runs the later migrations.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from pymongo.operations import IndexModel
from pytest_django import DjangoDbBlocker

from core.store.copying import connect_as
from tests.stores.databases import hub_database, hub_databases

ROOT = Path(__file__).parents[4]
RECORD = Path(__file__).parent / "old_schema"
OLD_MIGRATIONS = (
    ("federations", "0001_registry"),
    ("federations", "0002_newest_first"),
    ("peers", "0001_peers"),
    ("peers", "0002_tried_since"),
    ("peers", "0003_newest_first"),
)
RELEASED = (("federations", "0017_sync_permission"), ("peers", "0013_dispatch_receipts"))
# The tables of users, sessions and schedules, which lie in another database than the registry on MongoDB.
MIGRATE_ACCOUNTS = """
import django
django.setup()
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader
apps = {label for label, _ in MigrationLoader(None).disk_migrations} - {"federations", "peers"}
for label in sorted(apps):
    call_command("migrate", label, verbosity=0)
"""
# Rows are written with the models of that state, which are those of its migrations.
WRITE_ROWS = f"""
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import transaction
from django.db.migrations.loader import MigrationLoader
from core.store.row_values import row_of_values
released = {RELEASED!r}
for label, name in reversed(released):
    call_command("migrate", label, name, verbosity=0)
loader = MigrationLoader(None)
state = loader.project_state([*released, *loader.graph.leaf_nodes("auth")]).apps
with open(sys.argv[1]) as file, transaction.atomic():
    for table in json.load(file):
        model = state.get_model(table["model"])
        # The columns of migrations are in the order in which they were added.
        places = [table["columns"].index(field.attname) for field in model._meta.concrete_fields]
        rows = [row_of_values(model, [row[place] for place in places]) for row in table["rows"]]
        model._base_manager.bulk_create(rows)
"""
COUNT_ROWS = """
import json
from django.apps import apps
from core.store.row_values import row_text
tables = {}
for model in apps.get_models():
    tables[model._meta.label] = [row_text(row) and row.pk for row in model._base_manager.all()]
print(json.dumps(tables, default=str))
"""
POSTGRESQL_SCHEMA = (
    "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable,"
    " column_default FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
)

ACTIONS = ("add", "change", "delete", "view")

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hub:
    """The databases of one hub: the aliases `registry` and `accounts` are one, unless the registry is on MongoDB."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a process of this hub."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "FEDHUB_"))}
        own = {"DJANGO_SETTINGS_MODULE": "fedhub.settings", "FEDHUB_VAR_DIR": str(self.folder)}
        return inherited | own | hub_database(self.folder).variables

    def run(self, *arguments: str) -> str:
        """Run Python with these arguments and return its output; fails the test if the process fails."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def planned(self) -> set[str]:
        """Return the migrations of the registry that `migrate` would run."""
        words = self.run("manage.py", "migrate", "--plan").split()
        return {word for word in words if word.startswith(("federations.0", "peers.0"))}

    @contextmanager
    def databases(self) -> Iterator[tuple[Any, Any]]:
        """Connect this process to the hub's databases; yields the registry's connection and the accounts'."""
        variables = hub_database(self.folder).variables
        with ExitStack() as stack:
            stack.enter_context(connect_as("hub_accounts", variables["DATABASE_URL"]))
            accounts = registry = connections["hub_accounts"]
            if "MONGODB_URI" in variables:
                stack.enter_context(connect_as("hub_registry", variables["MONGODB_URI"]))
                registry = connections["hub_registry"]
            yield registry, accounts

    def schema(self) -> Schema:
        """Return the tables, columns, constraints and indexes of the registry's database."""
        with self.databases() as (registry, _):
            return {"mongodb": _mongodb_schema, "postgresql": _postgresql_schema, "sqlite": _sqlite_schema}[
                registry.vendor
            ](registry)


def _mongodb_schema(connection: Any) -> Schema:
    return {
        info["name"]: (
            info["options"],
            sorted((dict(index) for index in connection.database[info["name"]].list_indexes()), key=str),
        )
        for info in connection.database.list_collections()
    }


def _postgresql_schema(connection: Any) -> Schema:
    with connection.cursor() as cursor:
        return {query: sorted(map(str, _all(cursor, query))) for query in POSTGRESQL_SCHEMA}


def _sqlite_schema(connection: Any) -> Schema:
    with connection.cursor() as cursor:
        rows = _all(cursor, "SELECT type, name, tbl_name, sql FROM sqlite_master")
        return {f"{kind} {name}": (table, _sorted_parts(sql)) for kind, name, table, sql in rows}


def _sorted_parts(sql: str | None) -> list[str]:
    """Return the parts of a statement in one order: a table that Django makes anew has its columns in another order."""
    head, _, body = (sql or "").partition(" (")
    return [head, *sorted(body.removesuffix(")").split(", "))]


def _all(cursor: Any, query: str) -> list[Any]:
    cursor.execute(query)
    return list(cursor.fetchall())


@pytest.fixture(scope="module")
def databases_of_hubs(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), hub_databases():
        yield


def new_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    hub_database(folder).create()
    return folder


@pytest.fixture(scope="module")
def new_hub(tmp_path_factory: pytest.TempPathFactory, databases_of_hubs: None) -> Hub:
    """A hub that was migrated today, from nothing."""
    hub = Hub(new_folder(tmp_path_factory.mktemp("hubs"), "new"))
    hub.run("manage.py", "migrate", "--verbosity=0")
    return hub


@pytest.fixture
def old_hub(tmp_path: Path, databases_of_hubs: None) -> Hub:
    """A hub as the first migrations left it."""
    hub = Hub(new_folder(tmp_path, "old"))
    hub.run("-c", MIGRATE_ACCOUNTS)
    with hub.databases() as (registry, accounts):
        _create_old_tables(registry)
        # Both databases record the migrations of every app, whichever of them holds its tables.
        for connection in {registry, accounts}:
            recorder = MigrationRecorder(connection)
            recorder.ensure_schema()
            for migration in OLD_MIGRATIONS:
                recorder.record_applied(*migration)
    return hub


def _create_old_tables(registry: Any) -> None:
    if registry.vendor == "mongodb":
        registry.ensure_connection()
        for name, recorded in json.loads((RECORD / "mongodb.json").read_text(encoding="utf-8")).items():
            registry.database.create_collection(name, **recorded["options"])
            registry.database[name].create_indexes([_index(options) for options in recorded["indexes"]])
        return
    statements = (RECORD / f"{registry.vendor}.sql").read_text(encoding="utf-8").split(";\n")
    with registry.cursor() as cursor:
        for statement in filter(None, statements):
            cursor.execute(statement)


def _index(options: dict[str, Any]) -> IndexModel:
    return IndexModel(list(options["key"].items()), **{name: each for name, each in options.items() if name != "key"})


PERMISSIONS = {f"{action}_runtimesighting": f"Can {action} runtime sighting" for action in ACTIONS}


@pytest.fixture
def granted(old_hub: Hub) -> None:
    """A group that may view the model under its old name."""
    with old_hub.databases() as (_, accounts), accounts.cursor() as cursor:
        cursor.execute("INSERT INTO django_content_type (app_label, model) VALUES ('federations', 'runtimesighting')")
        for codename, name in PERMISSIONS.items():
            cursor.execute(
                "INSERT INTO auth_permission (codename, name, content_type_id)"
                " SELECT %s, %s, id FROM django_content_type WHERE model = 'runtimesighting'",
                [codename, name],
            )
        cursor.execute("INSERT INTO auth_group (name) VALUES ('Watchers')")
        cursor.execute(
            "INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id"
            " FROM auth_group g, auth_permission p WHERE p.codename = 'view_runtimesighting'"
        )


def permissions(hub: Hub) -> tuple[list[tuple[str, str, str]], list[tuple[str]]]:
    """Return the permissions on observations of runtimes, and those of them that the group has."""
    with hub.databases() as (_, accounts), accounts.cursor() as cursor:
        stored = _all(
            cursor,
            "SELECT c.model, p.codename, p.name FROM auth_permission p"
            " JOIN django_content_type c ON c.id = p.content_type_id"
            " WHERE c.model IN ('runtimesighting', 'runtimeobservation') ORDER BY codename",
        )
        return stored, _all(
            cursor,
            "SELECT p.codename FROM auth_group_permissions g JOIN auth_permission p ON p.id = g.permission_id"
            " JOIN auth_group w ON w.id = g.group_id WHERE w.name = 'Watchers'",
        )


def test_old_database_runs_the_later_migrations_alone_and_has_the_schema_of_a_new_one(
    old_hub: Hub, new_hub: Hub
) -> None:
    planned = old_hub.planned()
    assert "federations.0002_runtime_observation" in planned
    assert not planned & {f"{app}.{name}" for app, name in OLD_MIGRATIONS}
    old_hub.run("manage.py", "migrate", "--verbosity=0")
    assert old_hub.planned() == set()
    assert old_hub.schema() == new_hub.schema()


def test_permission_that_was_granted_under_the_old_name_survives_there_and_back(old_hub: Hub, granted: None) -> None:
    old_schema, old_permissions = old_hub.schema(), permissions(old_hub)
    old_hub.run("manage.py", "migrate", "--verbosity=0")
    new_names = [
        ("runtimeobservation", f"{action}_runtimeobservation", f"Can {action} runtime observation")
        for action in ACTIONS
    ]
    assert permissions(old_hub) == (new_names, [("view_runtimeobservation",)])
    for app in ("peers", "federations"):
        old_hub.run("manage.py", "migrate", app, "0001", "--verbosity=0")
    assert permissions(old_hub) == old_permissions
    assert old_hub.schema() == old_schema


def _old_server(number: int, updated: str) -> dict[str, Any]:
    """Return a row of the table of servers as the first migrations made it, all of one runtime without a federation."""
    documents = dict.fromkeys(
        ("runtime_access", "protocol_configuration", "authorizer_configuration", "capabilities"), "{}"
    ) | dict.fromkeys(("tools", "resources", "prompts"), "[]")
    texts = dict.fromkeys(("description", "status", "account_id", "runtime_arn", "runtime_version", "url"), "")
    times = {"enriched_at": updated, "created_at": updated, "updated_at": updated}
    own = {"id": f"{number:024}", "path": f"/agentcore/mcp/{number}", "server_name": f"server{number}", "num_tools": 0}
    place = {"region": "us-east-1", "runtime_id": "one", "access_mode": "iam", "federation_id": None}
    return {**documents, **texts, **times, **own, **place}


def _insert(registry: Any, table: str, row: dict[str, Any]) -> None:
    if registry.vendor == "mongodb":
        registry.ensure_connection()
        times = {name: datetime.fromisoformat(value) for name, value in row.items() if name.endswith("_at")}
        parsed = {name: json.loads(value) for name, value in row.items() if value in ("{}", "[]")}
        registry.database[table].insert_one({**row, **times, **parsed, "_id": row["id"]})
        return
    columns, places = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
    with registry.cursor() as cursor:
        cursor.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', list(row.values()))


def test_doubled_rows_are_deleted_before_their_constraints_are_made(old_hub: Hub) -> None:
    with old_hub.databases() as (registry, _):
        for number, updated in ((1, "2026-01-01T00:00:00+00:00"), (2, "2026-01-02T00:00:00+00:00")):
            _insert(registry, "federations_mcpserver", _old_server(number, updated))
        for number, resource in ((1, 1), (2, 2), (3, 2)):
            tag = {"id": f"{number:024}", "name": "env:prod", "resource_id": f"{resource:024}"}
            _insert(registry, "federations_mcpservertag", tag)
    old_hub.run("manage.py", "migrate", "--verbosity=0")
    shown = old_hub.run(
        "manage.py",
        "shell",
        "--no-imports",
        "--command",
        "from federations.models import McpServer, McpServerTag\n"
        "print([row.server_name for row in McpServer.objects.all()], McpServerTag.objects.count())",
    )
    assert "['server2'] 1" in shown


def test_rows_of_a_released_hub_survive_the_later_migrations(tmp_path: Path, new_hub: Hub) -> None:
    hub, record = Hub(tmp_path), RECORD / "rows.json"
    hub_database(tmp_path).create_as(new_hub.folder)
    hub.run("-c", WRITE_ROWS, str(record))
    assert hub.planned()
    hub.run("manage.py", "migrate", "--verbosity=0")
    found = json.loads(hub.run("manage.py", "shell", "--no-imports", "--command", COUNT_ROWS))
    for table in json.loads(record.read_text(encoding="utf-8")):
        place = table["columns"].index(apps.get_model(table["model"])._meta.pk.attname)
        keys = {str(row[place]) for row in table["rows"]}
        assert keys <= set(map(str, found[table["model"]])), table["model"]
