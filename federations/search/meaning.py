"""Search by meaning in the SQLite index: the vectors of documents, and those that are near to the vector of a query.

Theory of operation. A model makes a vector of each document from what a hit says: the words of its name, the first line
of its text, its tags. A part of a resource takes on something of its resource, and the resource of its parts, so that
`who owes us money` finds the tool of the invoicing server. The table `vectors` has each vector as bytes, the table
`signs` one bit for each of its numbers, together for the documents of one kind of a resource. A search reads all signs
that pass its filters (48 bytes for a document of 384 numbers), counts the bits in which they differ from the query's,
and compares the vectors of the RESCORED best alone. Nothing is kept between two searches, so a search sees one snapshot
of the file, and no process needs memory for the vectors.

A row names the model that made it: vectors of two models cannot be compared.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federations.search.base import IndexedResource, SearchDocument, SearchQuery
from federations.search.splitting import compounds, pieces

# A part of the name of each row's model. Raise it with a change of the texts or of the vectors.
RECIPE = 1

MAX_TEXT_CHARS = 500
MOST_NEAR = 50
"""A search has at most so many hits that have not the words."""

LEAST_SIMILARITY = 0.15
LEAST_SHARE = 0.5
"""A document without the words is a hit if its cosine is at least the first, and this share of the best one."""

RESCORED = 400

# What a part has of its resource, and the resource of its parts.
_CONTEXT = 0.3
_ROW = "<i8"

_SIGNS = """
    SELECT numbers, bits FROM signs WHERE model = :model
    AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:federations IS NULL OR federation_id IN (SELECT value FROM json_each(:federations)))
"""
_VECTORS = "SELECT number, vector FROM vectors WHERE number IN (SELECT value FROM json_each(?)) AND model = ?"

Vectors = NDArray[np.float32]


class Model(Protocol):
    """What makes vectors of texts: `embedding.OnnxModel`, or a small one in a test."""

    name: str

    def embed(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True, slots=True)
class MeaningOfQuery:
    """The vector of a query, and the connection-free half of its search; `Meaning.of` makes it."""

    model: str
    vector: Vectors

    def nearest(self, connection: sqlite3.Connection, query: SearchQuery) -> list[int]:
        """Return the numbers of the documents near the query that pass its filters, MOST_NEAR at most, best first."""
        numbers, bits = self._read_signs(connection, query)
        if not len(numbers):
            return []
        differing = np.bitwise_count(bits ^ _signs(self.vector[None])).sum(axis=1, dtype=np.int32)
        if len(numbers) > RESCORED:
            numbers = numbers[np.argpartition(differing, RESCORED)[:RESCORED]]
        found = self.similarities(connection, numbers.tolist())
        least = max(LEAST_SIMILARITY, LEAST_SHARE * max(found.values(), default=0.0))
        near = [number for number, similarity in found.items() if similarity >= least]
        return sorted(near, key=lambda number: (-found[number], number))[:MOST_NEAR]

    def similarities(self, connection: sqlite3.Connection, numbers: Collection[int]) -> dict[int, float]:
        """Return the cosine of each of these documents that has a vector."""
        rows = connection.execute(_VECTORS, (json.dumps(list(numbers)), self.model)).fetchall()
        if not rows:
            return {}
        stored = np.frombuffer(b"".join(vector for _, vector in rows), np.int8).reshape(len(rows), -1)
        vectors = stored.astype(np.float32)
        cosines = vectors @ self.vector / np.linalg.norm(vectors, axis=1)
        return {number: float(cosine) for (number, _), cosine in zip(rows, cosines, strict=True)}

    def _read_signs(
        self, connection: sqlite3.Connection, query: SearchQuery
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        rows = connection.execute(
            _SIGNS,
            {
                "model": self.model,
                "kinds": json.dumps(sorted(query.kinds)) if query.kinds else None,
                "federations": None if query.federation_ids is None else json.dumps(sorted(query.federation_ids)),
            },
        ).fetchall()
        if not rows:
            return np.empty(0, np.int64), np.empty((0, 1), np.uint64)
        # There are many rows: a loop over them in Python would take as long as reading them.
        numbers, bits = (b"".join(column) for column in zip(*rows, strict=True))
        found = np.frombuffer(numbers, _ROW)
        return found, np.frombuffer(bits, np.uint64).reshape(len(found), -1)


class Meaning:
    """The vectors of one model. `name` names the model and the way in which this module uses it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = f"{RECIPE}:{model.name}"

    def of(self, text: str) -> MeaningOfQuery | None:
        """Return the meaning of a query, or None if the model knows none of its words."""
        (vector,) = self._model.embed([text[:MAX_TEXT_CHARS]])
        return MeaningOfQuery(self.name, vector) if vector.any() else None

    def vectors_of(self, resources: Iterable[IndexedResource]) -> Vectors:
        """Return a row for each document of these resources, in order."""
        resources = list(resources)
        made = self._model.embed([_text(document) for each in resources for document in each.documents])
        start = 0
        for resource in resources:
            end = start + len(resource.documents)
            made[start:end] = _in_context(made[start:end], resource)
            start = end
        return made

    def insert(
        self, connection: sqlite3.Connection, documents: Sequence[SearchDocument], vectors: Vectors, first: int
    ) -> None:
        """Store the vectors of documents, whose numbers are those from `first` on. A row of zeros is not stored."""
        groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for place, document in enumerate(documents):
            if vectors[place].any():
                groups[document.resource_id, document.kind, document.federation_id].append(place)
        places = [place for group in groups.values() for place in group]
        if not places:
            return
        largest = np.abs(vectors[places]).max(axis=1, keepdims=True)
        stored = np.rint(vectors[places] / largest * 127).astype(np.int8)
        connection.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?)",
            ((first + place, self.name, row.tobytes()) for place, row in zip(places, stored, strict=True)),
        )
        connection.executemany(
            "INSERT INTO signs VALUES (?, ?, ?, ?, ?, ?)",
            (
                (*group, self.name, (np.array(chosen, _ROW) + first).tobytes(), _signs(vectors[chosen]).tobytes())
                for group, chosen in groups.items()
            ),
        )


def _text(document: SearchDocument) -> str:
    """Return what the model reads of a document: `create invoice. Create a draft for a customer. finance`."""
    words = [part for name in (document.name, document.card_name) for part in _parts(name)]
    line = document.text.lstrip().partition("\n")[0]
    return f"{' '.join(words)}. {line[:MAX_TEXT_CHARS]} {' '.join(document.tags)}"[: 2 * MAX_TEXT_CHARS].strip()


def _parts(name: str) -> list[str]:
    return [part for compound, _ in compounds(name) for piece in pieces(compound) for part in piece]


def _in_context(vectors: Vectors, resource: IndexedResource) -> Vectors:
    """Return the vectors of a resource's documents, with something of the resource's own and of its parts."""
    is_own = np.array([document.id == resource.resource_id for document in resource.documents], bool)
    if not is_own.any() or is_own.all():
        return vectors
    own = vectors[is_own].sum(axis=0)
    parts = _units(vectors[~is_own].sum(axis=0, keepdims=True))
    return _units(vectors + _CONTEXT * np.where(is_own[:, None], parts, own))


def _units(rows: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths, lengths, 1.0)).astype(np.float32)


def _signs(vectors: Vectors) -> NDArray[np.uint64]:
    """Return a bit for each number of a row, which tells whether the number is positive, in words of 64 bits."""
    padded = np.pad(vectors > 0, ((0, 0), (0, -vectors.shape[1] % 64)))
    return np.packbits(padded, axis=1).view(np.uint64)
