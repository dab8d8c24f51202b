"""The embedded search index: SQLite's FTS5, ranked by bm25, in its own file.

A document is a row of `documents` (the JSON that a hit returns) and a row of `words` with the same number (the words
that find it). `words.py` makes the words, of letters and digits only, so the text of a user never contains the syntax
of an FTS5 query.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from federations.search.base import IndexedResource, SearchDocument, SearchHit, SearchPage, SearchQuery
from federations.search.columns import (
    JOINED_NAMES_WEIGHT,
    JOINED_WEIGHT,
    NAMES_WEIGHT,
    TAGS_WEIGHT,
    TEXT_WEIGHT,
    squashed_names,
    word_columns,
)
from federations.search.document_json import document_from_json, document_to_json
from federations.search.excerpt import excerpt
from federations.search.sqlite_file import SqliteFile
from federations.search.words import Term, query_terms, single_words, squash

BUSY_TIMEOUT_SECONDS = 30.0

# bm25 is negative, and lower for a better hit. CROSS JOIN fixes the order in SQLite:
# first the rows with the words, then the filters.
_RANK = f"bm25(words, {NAMES_WEIGHT}, {TAGS_WEIGHT}, {TEXT_WEIGHT}, {JOINED_NAMES_WEIGHT}, {JOINED_WEIGHT})"
_FOUND = """
    FROM words CROSS JOIN documents ON documents.number = words.rowid
    WHERE words MATCH :expression
    AND (:kinds IS NULL OR documents.kind IN (SELECT value FROM json_each(:kinds)))
    AND (:federation_ids IS NULL OR documents.federation_id IN (SELECT value FROM json_each(:federation_ids)))
"""
_COUNT = "SELECT count(*)" + _FOUND
_PAGE = (
    f"SELECT body, :name IN (squashed_name, squashed_card_name) AS exact, {_RANK} AS rank"
    + _FOUND
    + "ORDER BY exact DESC, rank, documents.id LIMIT :limit OFFSET :offset"
)

_DELETES = (
    """DELETE FROM words WHERE rowid IN (
        SELECT number FROM documents WHERE resource_id IN (SELECT value FROM json_each(?))
    )""",
    "DELETE FROM documents WHERE resource_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM resources WHERE resource_id IN (SELECT value FROM json_each(?))",
)

Row = tuple[str, ...]


class SqliteSearchIndex:
    """A SearchIndex in the file `path`, which is created on first use. Threads and processes may share it.

    A writer waits at most `busy_timeout_seconds` for other writers, then raises SearchError.
    """

    def __init__(self, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
        self._file = SqliteFile(path, busy_timeout_seconds=busy_timeout_seconds)

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource with all its documents, in one transaction.

        `delete_first` saves a call to a remote index. Here the delete is part of the transaction and costs little, so
        it always happens: two repairs of one missing resource must not store its documents twice.
        """
        batch = {resource.resource_id: resource for resource in resources}
        if not batch:
            return
        rows = [_table_row(document) for resource in batch.values() for document in resource.documents]
        stamps = [(each.resource_id, each.federation_id, each.stamp) for each in batch.values()]

        def write(connection: sqlite3.Connection) -> None:
            _delete(connection, batch)
            connection.executemany("INSERT INTO resources VALUES (?, ?, ?)", stamps)
            _insert(connection, rows)

        self._file.write(write)

    def delete(self, resource_ids: Collection[str]) -> None:
        """Delete all documents of these resources, in one transaction."""
        if resource_ids:
            self._file.write(lambda connection: _delete(connection, resource_ids))

    def delete_federation(self, federation_id: str) -> None:
        """Delete all documents of one federation, in one transaction."""
        self._file.write(lambda connection: _delete(connection, _stamps(connection, federation_id)))

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return the stamps of a federation's indexed resources, by resource id."""
        return self._file.read(lambda connection: _stamps(connection, federation_id))

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits. The count and the page come from one snapshot."""
        asked = query_terms(query.text)
        if not asked:
            return SearchPage((), 0)
        return self._file.read(_search_operation(query, asked))

    def clear(self) -> None:
        """Delete all documents and stamps."""
        self._file.write(_clear)


def _search_operation(query: SearchQuery, asked: Sequence[Term]) -> Callable[[sqlite3.Connection], SearchPage]:
    expressions = (
        " AND ".join(map(_expression, asked)),
        " OR ".join(map(_expression, single_words(asked))),
    )
    filters = {
        "kinds": json.dumps(sorted(query.kinds)) if query.kinds else None,
        "federation_ids": None if query.federation_ids is None else json.dumps(sorted(query.federation_ids)),
    }
    page = {"name": squash(query.text), "limit": query.limit, "offset": query.offset}

    def search(connection: sqlite3.Connection) -> SearchPage:
        for expression in expressions:
            found = filters | {"expression": expression}
            (total,) = connection.execute(_COUNT, found).fetchone()
            if total:
                # An offset past the end has no hits, and may exceed SQLite's integers.
                rows = connection.execute(_PAGE, found | page) if query.offset < total else ()
                return SearchPage(tuple(_hit(row, asked) for row in rows), total)
        return SearchPage((), 0)

    return search


def _expression(term: Term) -> str:
    """Return the term in FTS5's syntax: all its parts, or its joined form, each by prefix.

    The expression has each part twice, so that a document with the whole word ranks above one with a longer word. It
    also has a plural as the user typed it, so that the plural ranks above the singular.
    """
    parts = " AND ".join(f'("{part}" OR "{part}"*)' for part in term.parts)
    is_one_word = term.parts == (term.joined,)
    return f"({parts})" if is_one_word else f'(({parts}) OR ("{term.joined}" OR "{term.joined}"*))'


def _hit(row: tuple[str, int, float], asked: Sequence[Term]) -> SearchHit:
    body, exact, rank = row
    document = document_from_json(body)
    return SearchHit(document, exact + rank / (rank - 1.0), excerpt(document.text, asked))


def _table_row(document: SearchDocument) -> Row:
    words = word_columns(document)
    return (
        document.id,
        document.kind,
        document.resource_id,
        document.federation_id,
        *squashed_names(document),
        document_to_json(document),
        *map(" ".join, (words.names, words.tags, words.text, words.joined_names, words.joined)),
    )


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM documents").fetchone()
    connection.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _numbered(rows, last, slice(0, 7)))
    connection.executemany(
        "INSERT INTO words (rowid, names, tags, text, joined_names, joined) VALUES (?, ?, ?, ?, ?, ?)",
        _numbered(rows, last, slice(7, 12)),
    )


def _numbered(rows: Sequence[Row], last: int, columns: slice) -> Iterator[tuple[str | int, ...]]:
    return ((number, *row[columns]) for number, row in enumerate(rows, last + 1))


def _delete(connection: sqlite3.Connection, resource_ids: Collection[str]) -> None:
    chosen = (json.dumps(list(resource_ids)),)
    for statement in _DELETES:
        connection.execute(statement, chosen)


def _clear(connection: sqlite3.Connection) -> None:
    for table in ("words", "documents", "resources"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 (three names of ours)


def _stamps(connection: sqlite3.Connection, federation_id: str) -> dict[str, str]:
    return dict(
        connection.execute("SELECT resource_id, stamp FROM resources WHERE federation_id = ?", (federation_id,))
    )
