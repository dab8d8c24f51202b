"""Writes of many rows of one model, without the work that Django's own methods repeat for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connections
from django.db.models import BooleanField, CharField, Field, Model, TextField

from core.store.unit_of_work import REGISTRY

M = TypeVar("M", bound=Model)
# How a column is read from a row, the type of the values that need no preparation, and how the others are prepared.
Column = tuple[Callable[[Any], Any], type | None, Callable[..., Any]]


def insert_each(rows: Sequence[M]) -> None:
    """Insert new rows of one model, with their primary keys, in the open unit of work, as `bulk_create` does.

    The columns and the statement of a model are worked out once. The rows have values, no expressions. Raises what
    `bulk_create` raises.
    """
    connection: Any = connections[REGISTRY]
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor == "mongodb":
        model._default_manager.bulk_create(rows)
        return
    prefix, marks, columns = _insert_of(model, connection.vendor)
    values = list(zip(*(_prepare_column(column, rows, connection) for column in columns), strict=True))
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(prefix + marks, values)
        else:
            # One message to the server, and one plan.
            cursor.execute(prefix + ", ".join([marks] * len(rows)), [each for row in values for each in row])
    for row in rows:
        row._state.adding, row._state.db = False, REGISTRY


def _prepare_column(column: Column, rows: Sequence[Model], connection: Any) -> list[Any]:
    """Return the column's values as the database takes them. Rows that share an object, such as a time, share it."""
    read, plain, prepare = column
    values = [read(row) for row in rows]
    # By identity: the rows hold the objects until all are prepared, and many values cannot be keys.
    made: dict[int, Any] = {}
    for place, value in enumerate(values):
        if type(value) is plain:
            continue
        known = id(value)
        if known not in made:
            made[known] = prepare(value, connection)
        values[place] = made[known]
    return values


def update_each(rows: Sequence[M], fields: Sequence[str], *, batch_size: int) -> None:
    """Write `fields` of each of `rows`, all of one model, as `bulk_update` does.

    Django's `bulk_update` is one statement in which each row searches the values of all other rows. The time grows with
    the square of the rows: 1,000 rows take a second on SQLite, and 10 ms as statements of their own.
    """
    connection: Any = connections[REGISTRY]
    for start in range(0, len(rows), batch_size):
        if connection.vendor == "mongodb":
            connection.update_rows(rows[start : start + batch_size], fields)
        else:
            _update_rows(connection, rows[start : start + batch_size], fields)


def _update_rows(connection: Any, rows: Sequence[Model], fields: Sequence[str]) -> None:
    meta, quoted = rows[0]._meta, connection.ops.quote_name
    columns: list[Any] = [meta.get_field(name) for name in fields]
    values = [
        [*(each.get_db_prep_save(getattr(row, each.attname), connection) for each in columns), row.pk] for row in rows
    ]
    assignments = ", ".join(f"{quoted(each.column)} = %s" for each in columns)
    statement = f"UPDATE {quoted(meta.db_table)} SET {assignments} WHERE {quoted(meta.pk.column)} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


@lru_cache(maxsize=64)
def _insert_of(model: type[Model], vendor: str) -> tuple[str, str, list[Column]]:
    """Return the statement before its values, the marks of a row's values, and how each value is read and prepared."""
    meta, quoted = model._meta, connections[REGISTRY].ops.quote_name
    fields: list[Any] = list(meta.concrete_fields)
    names = ", ".join(quoted(each.column) for each in fields)
    prefix = f"INSERT INTO {quoted(meta.db_table)} ({names}) VALUES "  # noqa: S608
    columns = [(_reader(each), _plain_type_of(each), each.get_db_prep_save) for each in fields]
    return prefix, f"({', '.join(['%s'] * len(fields))})", columns


def _reader(field: Any) -> Callable[[Any], Any]:
    if type(field).pre_save is Field.pre_save:
        return attrgetter(field.attname)
    return partial(field.pre_save, add=True)


def _plain_type_of(field: Any) -> type | None:
    """Return the type of those values that Django gives to the database unchanged, after several calls for each."""
    kind = type(field)
    if kind.get_db_prep_save is not Field.get_db_prep_save or kind.get_db_prep_value is not Field.get_db_prep_value:
        return None
    plain = {CharField.get_prep_value: str, TextField.get_prep_value: str, BooleanField.get_prep_value: bool}
    return plain.get(kind.get_prep_value)
