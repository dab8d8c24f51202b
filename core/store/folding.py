"""Case-insensitive search for text beyond ASCII, on every database.

SQLite's LIKE and LOWER fold only ASCII, so each connection to SQLite gets a function of this module; other databases
fold all letters. A search for ASCII text skips the rules for other letters, which is faster.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import CharField, F, Func, Q
from django.db.models.functions import Collate, Lower, Upper
from django.db.models.lookups import Contains, IContains
from django.dispatch import receiver

FUNCTION = "FEDHUB_LOWER"


class UnicodeLower(Lower):
    """The database function that gives the lower-case form of a text, for letters of every script."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return Func.as_sql(self, compiler, connection, function=FUNCTION, **context)


class FoldedContains(IContains):
    """The look-up that replaces `icontains`: it ignores the case of letters beyond ASCII on SQLite too."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        if str(self.rhs).isascii():
            return self.as_sql(compiler, connection)
        lowered = UnicodeLower(self.lhs, output_field=CharField())
        return compiler.compile(Contains(lowered, str(self.rhs).lower()))

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        if not str(self.rhs).isascii():
            return self.as_sql(compiler, connection)
        return compiler.compile(Contains(Upper(Collate(self.lhs, "C")), str(self.rhs).upper()))


def contains_text(text: str, *columns: str) -> Q:
    """Return the condition that one of `columns` contains `text` in any case; `%` and `_` in `text` are literal."""
    found = Q()
    for column in columns:
        found |= Q(FoldedContains(F(column), text))
    return found


@receiver(connection_created)
def register_function(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Register the function on a new connection to SQLite."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(FUNCTION, 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
