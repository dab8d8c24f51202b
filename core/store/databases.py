"""Database URLs, turned into Django's settings of a database."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

REGISTRY_APPS = ("federations", "peers")
"""The apps whose models are the registry."""

MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")
RELATIONAL_SCHEMES = ("sqlite://", "postgres://", "postgresql://")
# Defaults that the URL may override. After five seconds without a server, a request fails.
MONGODB_OPTIONS: dict[str, Any] = {
    "appname": "fedhub",
    "retryWrites": True,
    "w": "majority",
    "serverSelectionTimeoutMS": 5000,
}
SQLITE_OPTIONS = {
    # An immediate transaction takes the write lock at its start and waits for it. A transaction that first reads and
    # then writes does not wait: it fails at once with "database is locked".
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # The web processes checkpoint the log (core.store.checkpoints); a commit does so only at 10,000 pages, 40 MiB.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
    "PRAGMA wal_autocheckpoint=10000;",
}


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at `url`; raise ValueError for a malformed URL."""
    if url.startswith(MONGODB_SCHEMES):
        return mongodb_database(url)
    if not url.startswith(RELATIONAL_SCHEMES):
        raise ValueError("The URL of a database is postgres://host/name, sqlite:///path or mongodb://host/name")
    is_sqlite = url.startswith("sqlite://")
    # A file needs no health check: it does not disappear between two requests.
    settings: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=not is_sqlite))
    if is_sqlite:
        settings["OPTIONS"] = SQLITE_OPTIONS
    return settings


def mongodb_database(uri: str) -> dict[str, Any]:
    """Return Django's settings of a MongoDB URL, which must name a database; raise ValueError for another URL.

    The function does not use DNS; the first connection resolves a `mongodb+srv` URL.
    """
    parts = urlsplit(uri)
    name = unquote(parts.path.strip("/"))
    if not uri.startswith(MONGODB_SCHEMES) or not parts.netloc:
        raise ValueError("This is not a URL of MongoDB: mongodb://host/NAME")
    if not name:
        raise ValueError("The URL of MongoDB does not name a database: mongodb://host/NAME")
    given = {option.partition("=")[0].lower() for option in parts.query.split("&")}
    options = {option: value for option, value in MONGODB_OPTIONS.items() if option.lower() not in given}
    return {"ENGINE": "core.store.mongodb", "HOST": uri, "NAME": name, "OPTIONS": options}
