"""Keep the rows that may contain a text. The theory of operation is in the docstring of the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.signals import post_migrate, pre_migrate

from core.store.substrings import postgresql, sqlite
from core.store.substrings.columns import MOST_CANDIDATES, IndexedColumns

Row = TypeVar("Row", bound=Model)

_STORES: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}
_registered: dict[type[Model], IndexedColumns] = {}


def register_index(model: type[Model], *columns: str) -> None:
    """Have `migrate` keep an index of the substrings of these text columns of `model`, none of which may be null."""
    _registered[model] = IndexedColumns(model, columns)


def with_candidates(
    rows: QuerySet[Row], texts: Sequence[str], *, also: Sequence[str] | QuerySet[Any, str] = ()
) -> QuerySet[Row]:
    """Return those of `rows` whose indexed columns may contain each of `texts` in any case, and those with ids `also`.

    Returns all of `rows` where the index does not help. `also` is only read where it does.
    """
    connection: Any = connections[rows.db]
    indexed, store = _registered.get(rows.model), _STORES.get(connection.vendor)
    if not (store and indexed and store.is_helpful(connection, indexed, texts)):
        return rows
    ids = list(also[: MOST_CANDIDATES + 1])
    return rows.filter(store.condition(indexed, texts, ids)) if len(ids) <= MOST_CANDIDATES else rows


def _prepare(sender: Any, using: str, plan: Sequence[tuple[Any, bool]], **kwargs: Any) -> None:
    """Take the indexes away before migrations of their app: SQLite drops no column that a trigger names."""
    if any(migration.app_label == sender.label for migration, _ in plan):
        for store, indexed in _indexes_of(sender, using):
            store.forget(connections[using], indexed)


def _make(sender: Any, using: str, **kwargs: Any) -> None:
    """Make the indexes that are missing or are of other columns, if the tables have the columns."""
    for store, indexed in _indexes_of(sender, using):
        if indexed.are_there(connections[using]):
            store.make(connections[using], indexed)


def _indexes_of(sender: Any, using: str) -> list[tuple[Any, IndexedColumns]]:
    """Return the indexes of an app with the module of the database; none for a database that has none."""
    store = _STORES.get(connections[using].vendor)
    of_app = (indexed for model, indexed in _registered.items() if model._meta.app_label == sender.label)
    return [(store, indexed) for indexed in of_app] if store else []


pre_migrate.connect(_prepare)
post_migrate.connect(_make)
