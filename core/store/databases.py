"""Addresses of databases as Django's settings want them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

REGISTRY_APPS = ("federations", "peers")
"""Whose models are the registry."""

MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")
RELATIONAL_SCHEMES = ("sqlite://", "postgres://", "postgresql://")
# What an address may say otherwise. Five seconds: where the server is away, a request fails rather than waits.
MONGODB_OPTIONS: dict[str, Any] = {
    "appname": "fedhub",
    "retryWrites": True,
    "w": "majority",
    "serverSelectionTimeoutMS": 5000,
}
SQLITE_OPTIONS = {
    # Immediate: a transaction that will write takes the write lock at its start, so it can wait for it; one that
    # upgrades from reading to writing in the middle fails at once with "database is locked".
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
}


def database(url: str) -> dict[str, Any]:
    """Return the settings of an address; raises ValueError for one that is none."""
    if url.startswith(MONGODB_SCHEMES):
        return mongodb_database(url)
    if not url.startswith(RELATIONAL_SCHEMES):
        raise ValueError("An address of a database is postgres://host/name, sqlite:///path or mongodb://host/name")
    is_sqlite = url.startswith("sqlite://")
    # A file does not go away between two requests.
    settings: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=not is_sqlite))
    if is_sqlite:
        settings["OPTIONS"] = SQLITE_OPTIONS
    return settings


def mongodb_database(uri: str) -> dict[str, Any]:
    """Return the settings of a MongoDB address, which must name a database; raises ValueError.

    Nothing is looked up: a `mongodb+srv` address asks DNS when the first connection is made.
    """
    parts = urlsplit(uri)
    name = unquote(parts.path.strip("/"))
    if not uri.startswith(MONGODB_SCHEMES) or not parts.netloc:
        raise ValueError("This is no address of MongoDB: mongodb://host/NAME")
    if not name:
        raise ValueError("The address of MongoDB names no database: mongodb://host/NAME")
    said = {option.partition("=")[0].lower() for option in parts.query.split("&")}
    options = {option: value for option, value in MONGODB_OPTIONS.items() if option.lower() not in said}
    return {"ENGINE": "core.store.mongodb", "HOST": uri, "NAME": name, "OPTIONS": options}
