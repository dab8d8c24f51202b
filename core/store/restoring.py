"""Write rows of a backup into an empty hub, all or none of them.

On a relational store one transaction holds the whole restore, so a process that is killed leaves nothing. MongoDB ends
a transaction after 60 s, so there the rows of the registry are written without one. A marker in a collection of its own
says that a restore is under way; it is deleted after the accounts' transaction has committed, which is the last step.
A restore that finds the marker of an interrupted one deletes the rows of the registry and begins again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from auditlog.context import disable_auditlog
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, connections, models

from core.store.copying import Row, insert_account_row, restart_sequences
from core.store.databases import REGISTRY_APPS
from core.store.unit_of_work import REGISTRY, restore_transaction

MARKER = "fedhub_restore"


class NotEmptyError(Exception):
    """Raised for a hub that has rows already."""


def database_of(model: type[Row]) -> str:
    """Return the alias of the database that has the model's table."""
    return REGISTRY if model._meta.app_label in REGISTRY_APPS else DEFAULT_DB_ALIAS


@contextmanager
def restore_into_empty_hub(chosen: Sequence[type[Row]], *, filled_by_setup: Sequence[str]) -> Iterator[None]:
    """Let the block write the rows of the chosen models; keep all that it writes if it ends, and nothing if it fails.

    The tables of the models `filled_by_setup` (labels) may have rows, which are deleted; `migrate` and the beat make
    them. Raises NotEmptyError if another table has a row.
    """
    marker = _Marker()
    if marker.is_set():
        _finish_or_clear(marker, chosen)
    check_empty(chosen, filled_by_setup=filled_by_setup)
    marker.set()
    try:
        with disable_auditlog(), restore_transaction():
            check_empty(chosen, filled_by_setup=filled_by_setup)
            _delete_rows(chosen)
            yield
            restart_sequences([model for model in chosen if database_of(model) == DEFAULT_DB_ALIAS], DEFAULT_DB_ALIAS)
    except BaseException:
        if marker.is_set():
            _delete_rows([model for model in chosen if model._meta.app_label in REGISTRY_APPS])
            marker.clear()
        raise
    finally:
        # The ids of content types are those of the backup now, or again those of before.
        ContentType.objects.clear_cache()
    marker.clear()


def check_empty(chosen: Sequence[type[Row]], *, filled_by_setup: Sequence[str]) -> None:
    """Raise NotEmptyError if a table of the chosen models has a row that setting up a hub does not make."""
    found = [
        model._meta.label
        for model in chosen
        if model._meta.label not in filled_by_setup and model._base_manager.using(database_of(model)).exists()
    ]
    if found:
        more = f" and {len(found) - 3} more tables" if len(found) > 3 else ""
        raise NotEmptyError(
            f"This hub is not empty: it has rows of {', '.join(found[:3])}{more}. Restore into a new database: set its "
            "address, run manage.py migrate, restore."
        )


def insert_rows(model: type[Row], rows: Sequence[Row]) -> None:
    """Insert rows of one model as they are, inside `restore_into_empty_hub`."""
    if model._meta.app_label in REGISTRY_APPS:
        # No model of the registry has a column that `bulk_create` sets by itself.
        model._base_manager.using(REGISTRY).bulk_create(rows)
        return
    for row in rows:
        insert_account_row(row, DEFAULT_DB_ALIAS)


def _finish_or_clear(marker: _Marker, chosen: Sequence[type[Row]]) -> None:
    if User.objects.using(DEFAULT_DB_ALIAS).exists():
        marker.clear()
        raise NotEmptyError("The earlier restore of this hub is complete; run manage.py rebuild_search.")
    _delete_rows([model for model in chosen if model._meta.app_label in REGISTRY_APPS])
    marker.clear()


def _delete_rows(chosen: Sequence[type[Row]]) -> None:
    """Delete all rows of the models, below the models' own `delete`, which may refuse it."""
    for model in reversed(chosen):
        rows: models.QuerySet[Any] = models.QuerySet(model=model, using=database_of(model))
        rows._raw_delete(database_of(model))


class _Marker:
    """The marker of a restore under way, which a registry in MongoDB has; other stores need none."""

    def __init__(self) -> None:
        self._connection: Any = connections[REGISTRY]
        self._has_marker = self._connection.vendor == "mongodb"

    def is_set(self) -> bool:
        """Tell whether a restore has begun and has not ended."""
        return self._has_marker and self._collection.find_one({}) is not None

    def set(self) -> None:
        """Say that a restore begins."""
        if self._has_marker:
            self._collection.insert_one({"_id": "restore"})

    def clear(self) -> None:
        """Say that the restore has ended."""
        if self._has_marker:
            self._collection.drop()

    @property
    def _collection(self) -> Any:
        self._connection.ensure_connection()
        return self._connection.database[MARKER]
