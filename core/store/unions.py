"""Rows of several queries at once."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import CharField, Count, QuerySet, Value

from core.store.unit_of_work import REGISTRY


def rows_of_all(*queries: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of `values_list` queries with the same columns: one query where the store can do it.

    MongoDB gets each query by itself, because its backend loses the groups of the first query of a union.
    """
    if not queries:
        return []
    if connections[REGISTRY].vendor == "mongodb" or len(queries) == 1:
        return [row for query in queries for row in query]
    return list(queries[0].union(*queries[1:], all=True))


def count_each(**rows: QuerySet[Any]) -> dict[str, int]:
    """Return the number of each of the rows by its name, with as many queries as `rows_of_all`."""
    queries = [
        found.order_by()
        .annotate(counted=Value(name, output_field=CharField()))
        .values_list("counted")
        .annotate(number=Count("pk"))
        for name, found in rows.items()
    ]
    return dict.fromkeys(rows, 0) | dict(rows_of_all(*queries))
