"""Databases for the processes that tests start, on the store that the tests run on."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from pymongo import MongoClient
from pymongo.operations import IndexModel

from core.store.databases import MONGODB_SCHEMES
from tests.stores import VARIABLES

Row = TypeVar("Row", bound=Model)
PREFIX = "hub_"
# How to drop what was made on a server.
_made: list[Callable[[], object]] = []


def variables_of_test_database() -> dict[str, str]:
    """Return the environment variables that lead another process to this test's database."""
    default = connections[DEFAULT_DB_ALIAS]
    name = str(default.settings_dict["NAME"])
    found = {"DATABASE_URL": f"sqlite:///{name}" if default.vendor == "sqlite" else _renamed(_postgresql_url(), name)}
    if "registry" in connections.settings:
        found["MONGODB_URI"] = _renamed(_mongodb_uri(), str(connections["registry"].settings_dict["NAME"]))
    return found


def _postgresql_url() -> str:
    return os.environ.get(VARIABLES["postgresql"], "")


def _mongodb_uri() -> str:
    return os.environ.get(VARIABLES["mongodb"], "")


def _renamed(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


# Hubs' own databases ------------------------------------------------------------------------------------------------
class SqliteDatabase:
    """A file in the hub's folder. The same folder is always the same database, here and below."""

    alias = DEFAULT_DB_ALIAS

    def __init__(self, folder: Path) -> None:
        self.name = str(folder / "fedhub.sqlite3")

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead a process to it."""
        return {"DATABASE_URL": f"sqlite:///{self.name}"}

    def create(self) -> None:
        """Make it, empty: the first connection does."""

    def create_as(self, other: Path) -> None:
        """Make it a copy of the one for the folder `other`, to which nobody is connected."""
        source = SqliteDatabase(other).name
        with closing(sqlite3.connect(source)) as rows:
            # What is in its log becomes part of the file.
            rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(source, self.name)


class PostgresqlDatabase:
    """A database of the server that this test's database is on."""

    alias = DEFAULT_DB_ALIAS

    def __init__(self, folder: Path) -> None:
        self.name = _name_for(folder)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead a process to it."""
        return {"DATABASE_URL": _renamed(_postgresql_url(), self.name)}

    def create(self) -> None:
        """Make it, empty."""
        _made.append(self._drop)
        _administer(f"CREATE DATABASE {self.name}")

    def create_as(self, other: Path) -> None:
        """Make it a copy of the one for the folder `other`; what was killed may still be connected to that."""
        source = _name_for(other)
        _made.append(self._drop)
        _administer(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{source}'",
            f"CREATE DATABASE {self.name} TEMPLATE {source}",
        )

    def _drop(self) -> None:
        _administer(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


class MongodbDatabase(SqliteDatabase):
    """A database of the server that this test's registry is on; Django's own tables are in a file."""

    alias = "registry"

    def __init__(self, folder: Path) -> None:
        self.file, self.name = SqliteDatabase(folder), _name_for(folder)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead a process to it."""
        return {**self.file.variables, "MONGODB_URI": _renamed(_mongodb_uri(), self.name)}

    def create(self) -> None:
        """Make it, empty: the first connection does."""
        _made.append(self._drop)

    def create_as(self, other: Path) -> None:
        """Make it a copy of the one for the folder `other`, with all indexes."""
        _made.append(self._drop)
        self.file.create_as(other)
        with _mongodb() as client:
            source, target = client[_name_for(other)], client[self.name]
            for name in source.list_collection_names():
                target.create_collection(name)
                if indexes := [_as_model(index) for index in source[name].list_indexes() if index["name"] != "_id_"]:
                    target[name].create_indexes(indexes)
                if documents := list(source[name].find()):
                    target[name].insert_many(documents)

    def _drop(self) -> None:
        with _mongodb() as client:
            client.drop_database(self.name)


HubDatabase = SqliteDatabase | PostgresqlDatabase


def hub_database(folder: Path) -> HubDatabase:
    """Return the database of the hub whose files are in `folder`."""
    if _mongodb_uri().startswith(MONGODB_SCHEMES):
        return MongodbDatabase(folder)
    if _postgresql_url().startswith("postgres"):
        return PostgresqlDatabase(folder)
    return SqliteDatabase(folder)


def _administer(*statements: str) -> None:
    with psycopg.connect(_postgresql_url(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _mongodb() -> MongoClient[dict[str, Any]]:
    return MongoClient(_mongodb_uri())


def _as_model(index: Any) -> IndexModel:
    options = {name: value for name, value in index.items() if name not in ("v", "key", "ns")}
    return IndexModel(list(index["key"].items()), **options)


def _name_for(folder: Path) -> str:
    return PREFIX + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]


# Connections from the test's process --------------------------------------------------------------------------------
def rows_of(folder: Path, model: type[Row]) -> QuerySet[Row]:
    """Return the rows of a registry model that the hub in `folder` has."""
    own = _name_for(folder)
    if own not in connections.settings:
        database = hub_database(folder)
        connections.settings[own] = {**connections[database.alias].settings_dict, "NAME": database.name}
    return model._default_manager.using(own)


@contextmanager
def hub_databases() -> Iterator[None]:
    """Afterwards nothing is left of hubs' databases on a server, nor of the connections to any."""
    try:
        yield
    finally:
        for own in [alias for alias in connections.settings if alias.startswith(PREFIX)]:
            connections[own].close()
            del connections[own], connections.settings[own]
        while _made:
            _made.pop()()
