"""Rows of several queries at once."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import CharField, Count, QuerySet, Value


def rows_of_all(*queries: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of `values_list` queries with the same columns: one query for each database that can do it.

    MongoDB gets each query by itself, because its backend loses the groups of the first query of a union.
    """
    by_database: dict[str, list[QuerySet[Any, Any]]] = {}
    for query in queries:
        by_database.setdefault(query.db, []).append(query)
    rows: list[tuple[Any, ...]] = []
    for database, found in by_database.items():
        if connections[database].vendor == "mongodb" or len(found) == 1:
            rows += (row for query in found for row in query)
        else:
            rows += found[0].union(*found[1:], all=True)
    return rows


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
