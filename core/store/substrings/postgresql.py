"""The index of substrings on PostgreSQL: a GIN index of the extension pg_trgm.

The index has the columns joined and in upper case as `core.store.folding` compares ASCII text. Other text is compared
by the rules of the database's own collation, so the index does not help there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError
from django.db.models import F, Func, Q, TextField
from django.db.models.lookups import Contains

from core.store.substrings.columns import MOST_CANDIDATES, TRIGRAM, IndexedColumns
from core.store.unit_of_work import schema_transaction

logger = logging.getLogger(__name__)

EXTENSION = "pg_trgm"
_TEMPLATE = 'UPPER((%(expressions)s) COLLATE "C")'
_JOINER = " || ' ' || "


class _IndexedText(Func):
    """The indexed expression: the columns in upper case, one after another."""

    template = _TEMPLATE
    arg_joiner = _JOINER
    output_field = TextField()


def is_helpful(connection: Any, indexed: IndexedColumns, texts: Sequence[str]) -> bool:
    """Tell whether the index is there and finds few rows for `texts`."""
    found = _containing(indexed, texts)
    if not found:
        return False
    rows = indexed.model._base_manager.using(connection.alias).filter(found).order_by().values("pk")
    counted, parameters = rows[: MOST_CANDIDATES + 1].query.get_compiler(connection=connection).as_sql()
    # Without an index the inner query would be the scan that it is to avoid; the server does not run it then.
    probe = f"SELECT CASE WHEN to_regclass(%s) IS NULL THEN NULL ELSE (SELECT count(*) FROM ({counted}) AS found) END"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(probe, [f'"{_name(indexed)}"', *parameters])
        (number,) = cursor.fetchone()
    return number is not None and number <= MOST_CANDIDATES


def condition(indexed: IndexedColumns, texts: Sequence[str], also: Sequence[str]) -> Q:
    """Return the condition of the rows that may contain each of `texts`, and of those with the ids `also`."""
    found = _containing(indexed, texts)
    return found | Q(pk__in=also) if also else found


def make(connection: Any, indexed: IndexedColumns) -> None:
    """Make the index unless it is there. Where the role may not make the extension, log a warning and leave it."""
    name = _name(indexed)
    expression = _TEMPLATE % {"expressions": _JOINER.join(f'"{column}"' for column in indexed.names)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [f'"{name}"'])
        # The server writes an expression in a form of its own, so a comment keeps ours.
        if cursor.fetchone() == (expression,):
            return
    statements = (
        f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}",
        f'DROP INDEX IF EXISTS "{name}"',
        f'CREATE INDEX "{name}" ON "{indexed.table}" USING gin ({expression} gin_trgm_ops)',
        f"""COMMENT ON INDEX "{name}" IS '{expression.replace("'", "''")}'""",
    )
    try:
        with schema_transaction(connection.alias), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError:
        logger.warning("Searches for a part of a text read every row of %s: see docs/operations.md", indexed.table)
        logger.info("The extension %s or its index could not be made", EXTENSION, exc_info=True)


def forget(connection: Any, indexed: IndexedColumns) -> None:
    """Do nothing: the server keeps the index in step, and drops it with a column of it."""


def _containing(indexed: IndexedColumns, texts: Sequence[str]) -> Q:
    found = Q()
    for text in texts:
        if text.isascii() and len(text) >= TRIGRAM:
            found &= Q(Contains(_IndexedText(*map(F, indexed.names)), text.upper()))
    return found


def _name(indexed: IndexedColumns) -> str:
    return f"{indexed.table}_trigrams"
