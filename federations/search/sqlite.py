"""The embedded search index: SQLite's FTS5 finds the documents, in its own file, and `bm25` ranks them.

A document is a row of `documents`: the words that find it, and the JSON that a hit returns. `words` is FTS5's index of
these words and has no copy of them. `words.py` makes them, of letters and digits only, so the text of a user never
contains the syntax of an FTS5 query.

A search does a bounded work for documents that it does not show. It counts MOST_HITS hits at most and ranks
CANDIDATES of them; if there are more, the order is that of a part of the hits, those with the words in their names
first. FTS5 has lists of the beginnings of words and reads them as far as a search asks. The column `facets` has the
kind, the federation and the whole names of a document as words that no user can type, so that FTS5 itself filters by
them. What still grows with the index is the comparison of the lists of words that are common each and rare together,
and the search for a very long beginning of a word (`sqlite_file.INDEXED_BEGINNINGS`).

With a model (`meaning.py`) documents that are near in meaning are hits too, and words and meaning rank together
(`fusion.py`). A document that was written without the model is found by its words; its stamp is then one that no
registry has, so that the next sync writes it again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federations.search.base import IndexedResource, SearchDocument, SearchHit, SearchPage, SearchQuery
from federations.search.bm25 import Candidate, Phrase, phrases_of, rank, words_of
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
from federations.search.fusion import fuse
from federations.search.sqlite_file import SqliteFile
from federations.search.words import Term, query_terms, single_words, squash

if TYPE_CHECKING:
    # Its import needs the packages of the extra `meaning`.
    from federations.search.meaning import Meaning, MeaningOfQuery

BUSY_TIMEOUT_SECONDS = 30.0

MOST_HITS = 10_000
"""A search has at most so many hits with the words: the total of a common word is this number."""

CANDIDATES = 200
"""So many hits are ranked; those behind them follow in the order of the index."""

MOST_COUNTED = 10_000
"""A word in more documents counts as a word in so many."""

MOST_FACETS = 100
"""A search within more federations compares them row by row."""

_COLUMN_WEIGHTS = (NAMES_WEIGHT, TAGS_WEIGHT, TEXT_WEIGHT, JOINED_NAMES_WEIGHT, JOINED_WEIGHT)
# Letters of a private use area, which are in no word that words.py makes (UAX #44: general category Co).
_KIND, _FEDERATION, _NAME = "\ue001", "\ue002", "\ue003"

# Each query returns one JSON array: for each row, SQLite waits for the turn of this thread among all of Python's.
_FOUND = """
    SELECT json_group_array(rowid) FROM (SELECT rowid FROM words WHERE words MATCH :expression LIMIT :most)
"""
# CROSS JOIN fixes the order in SQLite: first the rows with the words, then the filter.
_FOUND_WITHIN = """
    SELECT json_group_array(rowid) FROM (
        SELECT words.rowid FROM words CROSS JOIN documents ON documents.number = words.rowid
        WHERE words MATCH :expression AND documents.federation_id IN (SELECT value FROM json_each(:federation_ids))
        LIMIT :most
    )
"""
_FREQUENCIES = """
    SELECT json_group_array((SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH word.value LIMIT :most)))
    FROM json_each(:words) AS word
"""
_SIZE = "SELECT coalesce(max(number), 0) FROM documents"
_CANDIDATES = """
    SELECT json_group_array(json_array(number, id, facets, names, tags, text, joined_names, joined)) FROM documents
    WHERE number IN (SELECT value FROM json_each(:numbers))
"""
_BODIES = """
    SELECT json_group_array(json_array(number, body)) FROM documents
    WHERE number IN (SELECT value FROM json_each(:numbers))
"""

_INSERT = "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_WORDS = """
    INSERT INTO words (rowid, names, tags, text, joined_names, joined, facets)
    SELECT number, names, tags, text, joined_names, joined, facets FROM documents WHERE number > ?
"""
_DELETES = (
    # FTS5 takes the words out of its index by the texts that they came from.
    """INSERT INTO words (words, rowid, names, tags, text, joined_names, joined, facets)
        SELECT 'delete', number, names, tags, text, joined_names, joined, facets FROM documents
        WHERE resource_id IN (SELECT value FROM json_each(?))
    """,
    """DELETE FROM vectors WHERE number IN (
        SELECT number FROM documents WHERE resource_id IN (SELECT value FROM json_each(?))
    )""",
    "DELETE FROM signs WHERE resource_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM documents WHERE resource_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM resources WHERE resource_id IN (SELECT value FROM json_each(?))",
)

Row = tuple[str, ...]


class SqliteSearchIndex:
    """A SearchIndex in the file `path`, which is created on first use. Threads and processes may share it.

    A writer waits at most `busy_timeout_seconds` for other writers, then raises SearchError. Without `meaning` the
    index finds and ranks by words alone.
    """

    def __init__(
        self, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS, meaning: Meaning | None = None
    ) -> None:
        self._file = SqliteFile(path, busy_timeout_seconds=busy_timeout_seconds)
        self._meaning = meaning

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource with all its documents, in one transaction.

        `delete_first` saves a call to a remote index. Here the delete is part of the transaction and costs little, so
        it always happens: two repairs of one missing resource must not store its documents twice.
        """
        batch = {resource.resource_id: resource for resource in resources}
        if not batch:
            return
        documents = [document for resource in batch.values() for document in resource.documents]
        rows = [_table_row(document) for document in documents]
        stamps = [(each.resource_id, each.federation_id, each.stamp, self._model) for each in batch.values()]
        # Outside the transaction, because other writers wait for it.
        vectors = self._meaning.vectors_of(batch.values()) if self._meaning else None

        def write(connection: sqlite3.Connection) -> None:
            _delete(connection, batch)
            connection.executemany("INSERT INTO resources VALUES (?, ?, ?, ?)", stamps)
            first = _insert(connection, rows)
            if self._meaning and vectors is not None:
                self._meaning.insert(connection, documents, vectors, first)

        self._file.write(write)

    def delete(self, resource_ids: Collection[str]) -> None:
        """Delete all documents of these resources, in one transaction."""
        if resource_ids:
            self._file.write(lambda connection: _delete(connection, resource_ids))

    def delete_federation(self, federation_id: str) -> None:
        """Delete all documents of one federation, in one transaction."""
        self._file.write(lambda connection: _delete(connection, _stamps(connection, federation_id)))

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return the stamps of a federation's indexed resources, by resource id.

        The stamp of a resource whose vectors are not of this index's model is followed by the name of their model.
        """
        return self._file.read(lambda connection: _stamps(connection, federation_id, self._model))

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits, MOST_HITS in all at most, and those that are near in meaning alone.

        The count and the page come from one snapshot.
        """
        asked = query_terms(query.text)
        if not asked:
            return SearchPage((), 0)
        meaning = self._meaning.of(query.text) if self._meaning else None
        return self._file.read(_search_operation(query, asked, meaning))

    def clear(self) -> None:
        """Delete all documents and stamps."""
        self._file.write(_clear)

    @property
    def _model(self) -> str:
        return self._meaning.name if self._meaning else ""


def _search_operation(
    query: SearchQuery, asked: Sequence[Term], meaning: MeaningOfQuery | None
) -> Callable[[sqlite3.Connection], SearchPage]:
    name = f"{_NAME}{squash(query.text)}"

    def search(connection: sqlite3.Connection) -> SearchPage:
        for terms, joint in ((asked, " AND "), (single_words(asked), " OR ")):
            find = _Finder(connection, query, joint, terms)
            numbers = find(MOST_HITS)
            if numbers:
                break
        known = frozenset(numbers)
        near = [each for each in meaning.nearest(connection, query) if each not in known] if meaning else []
        total = len(numbers) + len(near)
        # An offset past the end has no hits.
        page = _page(find, numbers, near, name, meaning) if query.offset < total else []
        return SearchPage(tuple(_hits(connection, page, asked)), total)

    return search


class _Finder:
    """Finds the numbers of documents with the terms that pass the filters of a query, on one connection.

    `joint` joins the terms in an expression of FTS5.
    """

    def __init__(self, connection: sqlite3.Connection, query: SearchQuery, joint: str, terms: Sequence[Term]) -> None:
        """Take the query, and how its terms are joined."""
        self.connection, self.query, self._joint, self.terms = connection, query, joint, terms
        self._facets = "".join(f" AND facets : ({facets})" for facets in _facets_of(query))

    def __call__(self, most: int) -> list[int]:
        """Return at most `most` numbers of documents that have the terms anywhere, by prefix."""
        return self._find(self._joined("*"), most)

    def by_names(self, most: int) -> list[int]:
        """Return at most `most` numbers of documents that have the terms in their names, as whole words if any has.

        To look for beginnings of words takes many times as long as to look for words.
        """
        whole, beginnings = (f"{{names joined_names}} : ({self._joined(ending)})" for ending in ("", "*"))
        return self._find(whole, most) or self._find(beginnings, most)

    def by_whole_name(self, name: str, most: int) -> list[int]:
        """Return at most `most` numbers of documents with this facet of their whole name."""
        return self._find(f'facets : "{name}"', most)

    def _joined(self, ending: str) -> str:
        return self._joint.join(_expression(term, ending) for term in self.terms)

    def _find(self, words: str, most: int) -> list[int]:
        expression = f"({words}){self._facets}"
        federation_ids = self.query.federation_ids
        is_by_facet = federation_ids is None or len(federation_ids) <= MOST_FACETS
        numbers: list[int] = _read_array(
            self.connection,
            _FOUND if is_by_facet else _FOUND_WITHIN,
            expression=expression,
            most=most,
            **({} if is_by_facet else {"federation_ids": json.dumps(sorted(federation_ids or ()))}),
        )
        return numbers


def _facets_of(query: SearchQuery) -> Iterator[str]:
    """Yield the alternatives of each filter of a query, as an expression of FTS5."""
    if query.kinds:
        yield " OR ".join(f'"{_KIND}{kind}"' for kind in sorted(query.kinds))
    if query.federation_ids is not None and len(query.federation_ids) <= MOST_FACETS:
        # A search within no federation has no hits, so it needs a word that no document has.
        yield " OR ".join(f'"{_federation_facet(each)}"' for each in sorted(query.federation_ids)) or f'"{_NAME}"'


def _federation_facet(federation_id: str) -> str:
    # An id may have characters at which the tokenizer splits.
    return _FEDERATION + federation_id.encode("utf-8", "surrogatepass").hex()


def _page(
    find: _Finder, numbers: Sequence[int], near: Sequence[int], name: str, meaning: MeaningOfQuery | None
) -> list[tuple[int, float]]:
    """Return the numbers of the page's documents and their scores, best first.

    `numbers` are those with the words, `near` those by meaning alone.
    """
    chosen = numbers
    if len(numbers) > CANDIDATES:
        known = set(numbers) if len(numbers) < MOST_HITS else None
        exact = [each for each in find.by_whole_name(name, CANDIDATES) if known is None or each in known]
        chosen = list(dict.fromkeys([*exact, *find.by_names(CANDIDATES), *numbers[:CANDIDATES]]))[:CANDIDATES]
    candidates = _read_candidates(find.connection, [*chosen, *near], name)
    ranked = rank(candidates, _weighed_phrases(find.connection, find.terms), _COLUMN_WEIGHTS)
    if meaning:
        ranked = fuse(ranked, meaning.similarities(find.connection, [*chosen, *near]), find.terms)
    best = [(candidate.number, candidate.is_exact + score / (score + 1.0)) for score, candidate in ranked]
    # A document with the words in its name may be beyond the first MOST_HITS; it takes the place of another one.
    end = min(find.query.offset + find.query.limit, len(numbers) + len(near))
    if end > len(best):
        known = {number for number, _ in best}
        best += [(number, 0.0) for number in numbers if number not in known]
    return best[find.query.offset : end]


def _read_candidates(connection: sqlite3.Connection, numbers: Sequence[int], name: str) -> list[Candidate]:
    return [
        Candidate(
            number, id_, name in facets.split(" "), tuple([f" {column} " if column else "" for column in columns])
        )
        for number, id_, facets, *columns in _read_array(connection, _CANDIDATES, numbers=json.dumps(numbers))
    ]


def _weighed_phrases(connection: sqlite3.Connection, terms: Sequence[Term]) -> list[Phrase]:
    words = words_of(terms)
    if len(words) == 1:
        # All documents have the word, so its weight changes no order.
        return phrases_of(words, [0], 1)
    quoted = json.dumps([f'"{word}"' for word in words])
    frequencies = _read_array(connection, _FREQUENCIES, words=quoted, most=MOST_COUNTED)
    return phrases_of(words, frequencies, connection.execute(_SIZE).fetchone()[0])


def _hits(
    connection: sqlite3.Connection, page: Sequence[tuple[int, float]], asked: Sequence[Term]
) -> Iterator[SearchHit]:
    bodies = dict(_read_array(connection, _BODIES, numbers=json.dumps([number for number, _ in page])))
    for number, score in page:
        document = document_from_json(bodies[number])
        yield SearchHit(document, score, tuple(asked))


def _read_array(connection: sqlite3.Connection, query: str, **parameters: object) -> list[Any]:
    found: list[Any] = json.loads(connection.execute(query, parameters).fetchone()[0])
    return found


def _expression(term: Term, ending: str = "*") -> str:
    """Return the term in FTS5's syntax: all its parts, or its joined form, each by prefix or by the ending "" whole."""
    parts = " AND ".join(f'"{part}"{ending}' for part in term.parts)
    # The beginning of one word, without the ending of a plural, finds all that the joined form does.
    is_enough = term.parts == (term.joined,) or (len(term.parts) == 1 and ending == "*")
    return f"({parts})" if is_enough else f'(({parts}) OR "{term.joined}"{ending})'


def _table_row(document: SearchDocument) -> Row:
    words = word_columns(document)
    return (
        document.id,
        document.resource_id,
        document.federation_id,
        *map(" ".join, (words.names, words.tags, words.text, words.joined_names, words.joined)),
        " ".join(
            [f"{_KIND}{document.kind}", _federation_facet(document.federation_id)]
            + [f"{_NAME}{name}" for name in squashed_names(document) if name]
        ),
        document_to_json(document),
    )


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Insert these documents with numbers that follow each other, and return the first of them."""
    (last,) = connection.execute(_SIZE).fetchone()
    connection.executemany(_INSERT, ((number, *row) for number, row in enumerate(rows, last + 1)))
    connection.execute(_INSERT_WORDS, (last,))
    return int(last) + 1


def _delete(connection: sqlite3.Connection, resource_ids: Collection[str]) -> None:
    chosen = (json.dumps(list(resource_ids)),)
    for statement in _DELETES:
        connection.execute(statement, chosen)


def _clear(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    for table in ("vectors", "signs", "documents", "resources"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 (four names of ours)


def _stamps(connection: sqlite3.Connection, federation_id: str, model: str = "") -> dict[str, str]:
    """Return the stamps of a federation. Those of another model than `model` have its name; an empty one is any."""
    return dict(
        connection.execute(
            """SELECT resource_id, CASE WHEN ?2 IN ('', model) THEN stamp ELSE stamp || '|' || model END
            FROM resources WHERE federation_id = ?1""",
            (federation_id, model),
        )
    )
