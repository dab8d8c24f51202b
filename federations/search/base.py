"""What every search index promises.

The index is secondary: it can be dropped and rebuilt from the registry at any time. One resource (an MCP server or an
A2A agent) is the unit: its documents (itself, its tools, skills, resources, prompts) come and go together, and carry
the version they were built from, so that a stale resource is found by comparing versions alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MAX_LIMIT = 100


class SearchError(Exception):
    """The index could not be read or written; the registry is unharmed."""


class DocumentKind(StrEnum):
    """What a hit is."""

    SERVER = "server"
    AGENT = "agent"
    TOOL = "tool"
    SKILL = "skill"
    RESOURCE = "resource"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """One thing that can be found. `resource_id` is the registry id of the server or agent that it belongs to.

    `federation_id` is empty for a resource without a federation.
    """

    id: str
    kind: DocumentKind
    resource_id: str
    federation_id: str
    name: str
    path: str
    text: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexedResource:
    """A resource's documents and the stamp they were built from (its runtime version and time of enrichment)."""

    resource_id: str
    federation_id: str
    stamp: str
    documents: tuple[SearchDocument, ...]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search. `federation_ids` None means no restriction; an empty string in it means resources without a federation.

    `limit` and `offset` count hits. Raises ValueError unless 0 < limit <= 100 and offset >= 0.
    """

    text: str
    kinds: frozenset[DocumentKind] = frozenset()
    federation_ids: frozenset[str] | None = None
    limit: int = 20
    offset: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.limit <= MAX_LIMIT:
            raise ValueError(f"limit must be 1 to {MAX_LIMIT}, not {self.limit}")
        if self.offset < 0:
            raise ValueError(f"offset must not be negative, not {self.offset}")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One hit: `score` is higher for better, comparable only within one answer; `snippet` is plain text."""

    document: SearchDocument
    score: float
    snippet: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The hits from `offset` on, best first, and how many there are in all."""

    hits: tuple[SearchHit, ...]
    total: int


class SearchIndex(Protocol):
    """Every method raises SearchError where the index cannot be reached."""

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource whole, in few calls; `delete_first` removes what is there of it (not needed if missing).

        Without it the caller knows of nothing to remove; a document of the same id is overwritten all the same. Of
        two entries for one resource in a call the last one counts.
        """

    def delete(self, resource_ids: Collection[str]) -> None:
        """Remove all documents of these resources; unknown ids are fine."""

    def delete_federation(self, federation_id: str) -> None:
        """Remove all documents of one federation."""

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return resource id to stamp for everything indexed of one federation, in a constant number of calls."""

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits, a document whose whole name is the query first; equals are ordered by document id.

        Every word must match by prefix, in any of name, tags and text; where no document has them all, a document with
        any of them is a hit. What counts as a word of a query: words.query_terms. Metacharacters alone find nothing.
        """

    def clear(self) -> None:
        """Remove everything."""
