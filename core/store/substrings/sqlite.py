"""The index of substrings on SQLite: an FTS5 table of trigrams, which triggers keep in step.

FTS5 knows rows by a number. The implicit number of a row changes in a VACUUM, because the tables of the registry have
texts as their primary keys; so a table of its own gives each id a number. The FTS5 table has no copy of the texts
(`content=''`) and no places of words (`detail=none`): a search asks for the rows with all trigrams of its text.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import OperationalError
from django.db.models import Q
from django.db.models.expressions import RawSQL

from core.store.substrings.columns import MOST_CANDIDATES, TRIGRAM, IndexedColumns
from core.store.unit_of_work import schema_transaction

FIRST_VERSION = (3, 34)
"""The first version of SQLite whose FTS5 has the tokenizer `trigram`."""

DROPPED = ("DROP TABLE IF EXISTS {fts}", "DROP TABLE IF EXISTS {numbers}")
TABLES = (
    "CREATE TABLE {numbers} (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE {fts} USING fts5({columns}, content='', detail=none, columnsize=0, tokenize='trigram')",
    "INSERT INTO {numbers} (id) SELECT {key} FROM {table}",
    "INSERT INTO {fts} (rowid, {columns}) "
    "SELECT number, {columns} FROM {numbers} JOIN {table} ON {table}.{key} = {numbers}.id",
)
"""The statements that make the tables and fill them."""

_ADD = "INSERT INTO {fts} (rowid, {columns}) SELECT number, {new} FROM {numbers} WHERE id = NEW.{key};"
# FTS5 removes a row by its old texts.
_REMOVE = (
    "INSERT INTO {fts} ({fts}, rowid, {columns}) SELECT 'delete', number, {old} FROM {numbers} WHERE id = OLD.{key};"
)
TRIGGERS = {
    "insert": "CREATE TRIGGER {insert} AFTER INSERT ON {table} BEGIN "
    "INSERT INTO {numbers} (id) VALUES (NEW.{key}); {add} END",
    "update": "CREATE TRIGGER {update} AFTER UPDATE OF {key}, {columns} ON {table} WHEN {differs} BEGIN "
    "{remove} UPDATE {numbers} SET id = NEW.{key} WHERE id = OLD.{key} AND OLD.{key} IS NOT NEW.{key}; {add} END",
    "delete": "CREATE TRIGGER {delete} AFTER DELETE ON {table} BEGIN "
    "{remove} DELETE FROM {numbers} WHERE id = OLD.{key}; END",
}
"""The statements that make the triggers, as SQLite keeps them, by the event."""

# Without its triggers the index is out of step.
PROBE = (
    "SELECT (SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN (%s, %s, %s)), "
    "(SELECT max(number) FROM {numbers}), "
    "(SELECT count(*) FROM (SELECT 1 FROM {fts} WHERE {fts} MATCH %s LIMIT %s))"
)
MATCHING = (
    "SELECT id FROM {numbers} WHERE number IN (SELECT rowid FROM {fts} WHERE {fts} MATCH %s) "
    "UNION ALL SELECT value FROM json_each(%s)"
)

FEW_CANDIDATES = 100
"""So many rows are always read by the index, which takes a millisecond."""

SCANNED_FOR_ONE = 5
"""A scan reads about so many rows in the time in which the index finds and reads one."""

# Later trigrams of a long text find hardly fewer rows.
MOST_TRIGRAMS = 32
DOT_ABOVE = "\u0307"
# Letters beyond ASCII for which FTS5, which knows Unicode 6.1, and Python agree on the pairs of upper and lower case:
# Latin, Greek, Cyrillic. U+03F3 has a pair since Unicode 7.
_AGREED = re.compile("[\u0080-\u024f\u0370-\u03f2\u03f4-\u0527\u1e00-\u1fff]")


def is_helpful(connection: Any, indexed: IndexedColumns, texts: Sequence[str]) -> bool:
    """Tell whether the index is there and finds few rows for `texts`."""
    match = _match(texts)
    if not match or not is_supported():
        return False
    names = [_trigger_name(indexed, event) for event in TRIGGERS]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_filled(PROBE, indexed), [*names, match, MOST_CANDIDATES + 1])
            triggers, rows, found = cursor.fetchone()
    except OperationalError:
        # `migrate` has not made the tables.
        return False
    # The highest number tells about how many rows there are, without a count of them.
    few = max(FEW_CANDIDATES, (rows or 0) // SCANNED_FOR_ONE)
    return bool(triggers == len(TRIGGERS) and found <= min(few, MOST_CANDIDATES))


def condition(indexed: IndexedColumns, texts: Sequence[str], also: Sequence[str]) -> Q:
    """Return the condition of the rows that may contain each of `texts`, and of those with the ids `also`."""
    # One list of ids: SQLite does not look into an OR that a caller's condition puts into another OR.
    matching = RawSQL(_filled(MATCHING, indexed), [_match(texts), json.dumps(also)])  # noqa: S611 - names of a model
    return Q(pk__in=matching)


def make(connection: Any, indexed: IndexedColumns) -> None:
    """Make the tables and triggers and fill the index, unless the triggers are there."""
    if not is_supported():
        # A process with a newer SQLite made them; with them this one could not write.
        forget(connection, indexed)
        return
    triggers = [_filled(trigger, indexed) for trigger in TRIGGERS.values()]
    with schema_transaction(connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [indexed.table])
        if {sql for (sql,) in cursor.fetchall()}.issuperset(triggers):
            return
        forget(connection, indexed)
        for statement in (*(_filled(table, indexed) for table in TABLES), *triggers):
            cursor.execute(statement)


def forget(connection: Any, indexed: IndexedColumns) -> None:
    """Take the index away. The search then scans until `make` has made it anew."""
    with connection.cursor() as cursor:
        for event in TRIGGERS:
            cursor.execute(f'DROP TRIGGER IF EXISTS "{_trigger_name(indexed, event)}"')
        # An older SQLite cannot drop a table whose tokenizer it does not know.
        for table in DROPPED if is_supported() else ():
            cursor.execute(_filled(table, indexed))


def is_supported() -> bool:
    """Tell whether the SQLite of this Python has the tokenizer."""
    return sqlite3.sqlite_version_info >= FIRST_VERSION


def _match(texts: Sequence[str]) -> str:
    """Return FTS5's query for the rows with all trigrams of `texts`, empty if they have none."""
    trigrams = islice(dict.fromkeys(_trigrams(texts)), MOST_TRIGRAMS)
    return " AND ".join('"{}"'.format(trigram.replace('"', '""')) for trigram in trigrams)


def _trigrams(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for run in _runs(text):
            yield from (run[start : start + TRIGRAM] for start in range(len(run) - TRIGRAM + 1))


def _runs(text: str) -> list[str]:
    """Return the parts of `text` that FTS5 finds, in any case, wherever `contains_text` finds the text.

    Text beyond ASCII is compared in Python's lower case. Its part ends at a letter that FTS5 may fold otherwise. İ is
    the only letter whose lower case is two characters, so an i at the end or before the dot may be the half of one.
    """
    if text.isascii():
        return [text]
    lowered = text.lower().removesuffix("i").replace(f"i{DOT_ABOVE}", DOT_ABOVE)
    return "".join(letter if _folds_alike(letter) else "\0" for letter in lowered).split("\0")


def _folds_alike(letter: str) -> bool:
    has_case = letter.upper() != letter or letter.lower() != letter
    return letter.isascii() or bool(_AGREED.match(letter)) or not (has_case or letter == DOT_ABOVE)


def _filled(statement: str, indexed: IndexedColumns) -> str:
    """Return the statement with the quoted names of the tables and of the columns, also of those of OLD and NEW."""
    key, *columns = (f'"{name}"' for name in (indexed.key, *indexed.names))
    words = {
        "table": f'"{indexed.table}"',
        "numbers": f'"{indexed.table}_numbers"',
        "fts": f'"{indexed.table}_trigrams"',
        "key": key,
        "columns": ", ".join(columns),
        "old": ", ".join(f"OLD.{column}" for column in columns),
        "new": ", ".join(f"NEW.{column}" for column in columns),
        "differs": " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in (key, *columns)),
        **{event: f'"{_trigger_name(indexed, event)}"' for event in TRIGGERS},
    }
    return statement.format(**words, add=_ADD.format(**words), remove=_REMOVE.format(**words))


def _trigger_name(indexed: IndexedColumns, event: str) -> str:
    return f"{indexed.table}_trigrams_{event}"
