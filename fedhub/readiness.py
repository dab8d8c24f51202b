"""The checks of `/readyz`; each returns, or raises an exception.

Only the text of NotReadyError, and the note that a check may return on what works less well, reach a caller.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import KombuError

from core.figures.keeping import latest_figure
from core.store.databases import REGISTRY_APPS
from core.store.unit_of_work import REGISTRY
from federations.providers.base import CLOUD_CLOCK_SKEW
from federations.search.base import SearchError
from federations.search.registry import model_problem, search_index
from fedhub.storage import MEGABYTE, full_disks

Check = Callable[[], str | None]

BROKER_SECONDS = 2
MIGRATIONS_VALID_SECONDS = 60.0
"""Migrations that are applied stay applied, and reading their files takes a tenth of a second."""
MAX_SKEW_SECONDS = 60.0
"""AWS and peers refuse a signature that is five minutes off."""
SKEW_VALID = timedelta(hours=1)


class NotReadyError(Exception):
    """Raised by a check that fails; its text is for staff and has neither an address nor a secret."""


def all_checks() -> dict[str, Check]:
    """Return the checks by their names."""
    databases = {f"database-{alias}": partial(check_database, alias) for alias in settings.DATABASES}
    return {
        **databases,
        "broker": check_broker,
        "migrations": _Migrations(),
        "index": check_index,
        "keys": check_keys,
        "clock": check_clock,
        "disk": check_disk,
    }


def check_database(alias: str) -> None:
    """Raise NotReadyError if the database does not answer."""
    connection: Any = connections[alias]
    try:
        if connection.vendor == "mongodb":
            if connection.is_usable():
                return
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return
    except DatabaseError:
        pass
    raise NotReadyError("does not answer")


def check_broker() -> None:
    """Raise NotReadyError if the broker does not answer, or if its folder cannot be written."""
    if settings.CELERY_BROKER_URL.startswith("filesystem://"):
        folder = Path(settings.BROKER_DIR)
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise NotReadyError("its folder cannot be written")
        return
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
    except (OSError, KombuError) as exc:
        raise NotReadyError("does not answer") from exc


class _Migrations:
    """The check of unapplied migrations, which trusts its last success for a minute."""

    def __init__(self) -> None:
        self._valid_until = 0.0

    def __call__(self) -> None:
        """Raise NotReadyError with the number of unapplied migrations, if there are any."""
        if time.monotonic() < self._valid_until:
            return
        unapplied = 0
        for alias in settings.DATABASES:
            executor = MigrationExecutor(connections[alias])
            # The registry's database has the migrations of its own apps and of those that they depend on.
            targets = [node for node in executor.loader.graph.leaf_nodes() if alias != REGISTRY or _has_tables(node[0])]
            unapplied += len(executor.migration_plan(targets))
        if unapplied:
            raise NotReadyError(f"{unapplied} unapplied: run manage.py migrate")
        self._valid_until = time.monotonic() + MIGRATIONS_VALID_SECONDS


def _has_tables(app_label: str) -> bool:
    """Tell whether the registry's database has the tables of an app."""
    return REGISTRY == DEFAULT_DB_ALIAS or app_label in REGISTRY_APPS


def check_index() -> str:
    """Raise NotReadyError if the search index cannot be read. Return why it finds by words alone, if it should not."""
    try:
        # A federation that does not exist: the answer is empty, and small.
        search_index().stamps("-")
    except SearchError as exc:
        raise NotReadyError("cannot be read") from exc
    problem = model_problem()
    return f"searches find by words alone, FEDHUB_EMBEDDING_MODEL: {problem}" if problem else ""


def check_keys() -> None:
    """Raise NotReadyError if other users of the machine can open a key file, or if the hub cannot read it.

    The owner of a file may be another user than the hub's, who gives the hub's group the right to read it, as
    Kubernetes does with a secret.
    """
    names = {"hub key": settings.FEDHUB_KEY_PATH, "OIDC key": settings.FEDHUB_OIDC_KEY_PATH}
    names |= {name: settings.VAR_DIR / name for name in ("secret_key", "secrets_key")}
    paths = {name: Path(path) for name, path in names.items() if Path(path).exists()}
    if open_keys := [name for name, path in paths.items() if _is_open(path)]:
        raise NotReadyError(f"other users can open: {', '.join(open_keys)}")
    if unreadable := [name for name, path in paths.items() if not os.access(path, os.R_OK)]:
        raise NotReadyError(f"cannot be read: {', '.join(unreadable)}")


def _is_open(path: Path) -> bool:
    status = path.stat()
    forbidden = 0o077 if status.st_uid == os.geteuid() else 0o027
    return bool(status.st_mode & forbidden)


def check_clock() -> None:
    """Raise NotReadyError if the clock differed from the cloud's by more than a minute at a call of the last hour.

    The workers note the difference at their calls (`CLOUD_CLOCK_SKEW`), so the check calls no cloud.
    """
    skew = latest_figure(CLOUD_CLOCK_SKEW.name, within=SKEW_VALID)
    if skew is not None and abs(skew) > MAX_SKEW_SECONDS:
        raise NotReadyError(f"{abs(skew):.0f} seconds {'behind' if skew > 0 else 'ahead of'} the cloud's")


def check_disk() -> None:
    """Raise NotReadyError if a disk that the hub writes to is almost full: writes fail soon."""
    if full := full_disks():
        raise NotReadyError("; ".join(f"{', '.join(disk.names)}: {disk.free // MEGABYTE} MB free" for disk in full))
