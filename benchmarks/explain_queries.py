"""Recording of the queries to the registry's database, and the check of their query plans."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from django.db import connections
from pymongo import monitoring

from core.store.unit_of_work import REGISTRY

Query: TypeAlias = tuple[str, Any]
"""SQL and its parameters, or the name of a MongoDB collection and a pipeline."""

SQL_ALIAS = re.compile(r'"(?P<table>\w+)"(?: (?P<alias>[A-Z]\w*))?')
SQLITE_SCAN = re.compile(r"SCAN (?P<name>\w+)(?P<by> USING)?")


class _Aggregations(monitoring.CommandListener):
    """Records the aggregations that are sent to MongoDB while `queries` is a list."""

    def __init__(self) -> None:
        self.queries: list[Query] | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Record the pipeline of an aggregation."""
        if self.queries is not None and event.command_name == "aggregate":
            self.queries.append((str(event.command["aggregate"]), list(event.command["pipeline"])))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Ignore the answer."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore the answer."""


# The driver reports only to listeners that are registered before it connects.
_aggregations = _Aggregations()
monitoring.register(_aggregations)


@contextmanager
def queries_of_registry() -> Iterator[list[Query]]:
    """Record the queries of the block to the registry's database in a list."""
    found: list[Query] = []
    if connections[REGISTRY].vendor == "mongodb":
        _aggregations.queries = found
        try:
            yield found
        finally:
            _aggregations.queries = None
        return

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        found.append((sql, params))
        return execute(sql, params, many, context)

    with connections[REGISTRY].execute_wrapper(record):
        yield found


def tables_read_whole(query: Query, large: Collection[str]) -> list[str]:
    """Return the tables of `large` that the database reads whole for this query, by its query plan."""
    read: dict[str, Callable[[Query], list[str]]] = {
        "sqlite": _read_by_sqlite,
        "postgresql": _read_by_postgresql,
        "mongodb": _read_by_mongodb,
    }
    return [table for table in read[connections[REGISTRY].vendor](query) if table in large]


def _read_by_sqlite(query: Query) -> list[str]:
    sql, params = query
    tables = {found["alias"] or found["table"]: found["table"] for found in SQL_ALIAS.finditer(sql)}
    with connections[REGISTRY].cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + sql, params)
        steps = [SQLITE_SCAN.match(str(row[3])) for row in cursor.fetchall()]
    return [tables.get(step["name"], "") for step in steps if step and not step["by"]]


def _read_by_postgresql(query: Query) -> list[str]:
    sql, params = query
    if not sql.startswith("SELECT"):
        return []
    with connections[REGISTRY].cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, params)
        (answer,) = cursor.fetchone()
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    # A query without a filter returns all rows, so it must read the whole table.
    return [str(node["Relation Name"]) for node in _nodes(plan) if node["Node Type"] == "Seq Scan" and "Filter" in node]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _read_by_mongodb(query: Query) -> list[str]:
    collection, pipeline = query
    if not pipeline or "$match" not in pipeline[0] or not pipeline[0]["$match"]:
        return []
    connection: Any = connections[REGISTRY]
    command = {"aggregate": collection, "pipeline": pipeline, "cursor": {}}
    answer = connection.database.command("explain", command, verbosity="queryPlanner")
    return [collection] if "COLLSCAN" in json.dumps(answer, default=str) else []
