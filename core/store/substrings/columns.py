"""The text columns of a model that an index covers, and the bounds of the indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model

MOST_CANDIDATES = 2_000
"""The most rows that a search reads by the index; a page of more is read sooner in the order of its list."""

TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class IndexedColumns:
    """The names of text columns of `model`."""

    model: type[Model]
    names: tuple[str, ...]

    @property
    def table(self) -> str:
        """Return the name of the model's table."""
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """Return the name of the column of the primary key."""
        return str(self.model._meta.pk.column)

    def are_there(self, connection: Any) -> bool:
        """Tell whether a relational database has the table and the columns.

        It lacks them if the registry is in another database, or if the migrations ended before they came.
        """
        with connection.cursor() as cursor:
            if self.table not in connection.introspection.table_names(cursor):
                return False
            found = connection.introspection.get_table_description(cursor, self.table)
        return {self.key, *self.names} <= {column.name for column in found}
