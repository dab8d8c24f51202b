"""Queries that Django compiles once.

Django turns a query into SQL each time it runs, which takes longer than a database needs to find the few rows of a
message. Here the SQL is kept, and only the values change. So that the SQL does not depend on their number, all values
of a condition are one parameter: `any_of` is what `in` is for a field, and `any_pair` for two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import BooleanField, Expression, F, Q, QuerySet
from django.db.models.query import ModelIterable, get_related_populators

from core.store.unit_of_work import REGISTRY

Found = TypeVar("Found")
Values = Collection[str] | Collection[tuple[str, str]]


class CompiledQuery(Generic[Found]):
    """A query whose conditions on given values are `any_of` and `any_pair`; its SQL is worked out at its first run."""

    def __init__(self, make: Callable[..., QuerySet[Any, Found]], database: str = REGISTRY) -> None:
        """Take the function that makes the query of collections of values, which are its only parameters.

        The query is of whole rows, of rows with `only`, or of a `values_list`. `database` is the alias of the one that
        has the rows.
        """
        self._make, self._database = make, database
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, *values: Values) -> list[Found]:
        """Return what the query finds with these values; call a locking query in a unit of work.

        MongoDB gets the query anew, because its backend has no SQL to keep.
        """
        connection: Any = connections[self._database]
        if connection.vendor == "mongodb":
            return list(self._make(*values))
        compiled = self._compiled.get(connection.vendor)
        if compiled is None:
            query = self._make(*map(_Given, range(len(values))))
            compiled = self._compiled[connection.vendor] = _Compiled.of(query, connection)
        return list(compiled.run(connection, values))


def any_of(field: str, values: Any) -> Q | Expression:
    """Return the condition of a compiled query that a field has one of its values."""
    if isinstance(values, _Given):
        return _IsGiven([field], values)
    return Q(**{f"{field}__in": list(values)})


def any_pair(first: str, second: str, pairs: Any) -> Q | Expression:
    """Return the condition of a compiled query that two fields have one of its pairs of values.

    With a condition for each field, a database looks for each value of the one beside each of the other. So it does on
    MongoDB, where the condition also holds for a pair of the first value of one pair and the second of another.
    """
    if isinstance(pairs, _Given):
        return _IsGiven([first, second], pairs)
    return Q(**{f"{first}__in": [each for each, _ in pairs], f"{second}__in": [each for _, each in pairs]})


@dataclass(frozen=True, slots=True)
class _Given:
    """Stands in a compiled query for the collection of values with this number."""

    number: int


class _IsGiven(Expression):
    """The condition that a column has one of the given values, or that two columns have one of the given pairs."""

    conditional = True

    def __init__(self, fields: Sequence[str], values: _Given) -> None:
        """Take the names of the fields, and what stands for the values, which are a JSON array in the database."""
        super().__init__(output_field=BooleanField())
        self._columns: list[Any] = [F(each) for each in fields]
        self._values = values

    def get_source_expressions(self) -> list[Any]:
        """Return the columns."""
        return self._columns

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        """Take the columns as Django has resolved them."""
        self._columns = list(exprs)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """Return the condition with the stand-in as its parameter."""
        names = ", ".join(compiler.compile(column)[0] for column in self._columns)
        is_pair = len(self._columns) > 1
        if connection.vendor == "postgresql":
            given = "value ->> 0, value ->> 1" if is_pair else "value"
            rows = f"jsonb_array_elements{'' if is_pair else '_text'}(%s::jsonb) AS given(value)"
        else:
            given = "json_extract(value, '$[0]'), json_extract(value, '$[1]')" if is_pair else "value"
            rows = "json_each(%s)"
        return f"({names}) IN (SELECT {given} FROM {rows})", [self._values]  # noqa: S608 (no value is in the text)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The SQL of a query with its parameters, the converters of its columns, and what makes a result of a row."""

    sql: str
    parameters: Sequence[Any]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    result: Callable[[Sequence[Any]], Any]

    @classmethod
    def of(cls, query: QuerySet[Any, Any], connection: Any) -> _Compiled:
        """Compile the query for the database of `connection`."""
        compiler = query.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [expression for expression, *_ in compiler.select]
        found = compiler.get_converters(columns)
        result: Callable[[Sequence[Any]], Any] = tuple
        if query._iterable_class is ModelIterable:
            places = compiler.klass_info["select_fields"]
            own = slice(places[0], places[-1] + 1)
            names = [column.target.attname for column in columns[own]]
            # The stubs are those of a later Django.
            related = get_related_populators(compiler.klass_info, compiler.select, connection.alias)  # type: ignore[call-arg]
            result = partial(_make_object, query.model, connection.alias, names, own, related)
        return cls(sql, parameters, [(place, *each) for place, each in found.items()], result)

    def run(self, connection: Any, values: Sequence[Values]) -> Iterator[Any]:
        """Yield the results of one run with these values."""
        given = [json.dumps(list(each)) for each in values]
        parameters = [given[each.number] if isinstance(each, _Given) else each for each in self.parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            rows = cursor.fetchall()
        for row in rows:
            if self.converters:
                row = list(row)
                for place, converters, expression in self.converters:
                    for converter in converters:
                        row[place] = converter(row[place], expression, connection)
            yield self.result(row)


def _make_object(
    model: Any, database: str, names: Sequence[str], own: slice, related: Sequence[Any], row: Sequence[Any]
) -> Any:
    """Return the object of a row with its related objects; its own columns are at `own` and have these names."""
    made = model.from_db(database, names, row[own])
    for each in related:
        each.populate(row, made)
    return made
