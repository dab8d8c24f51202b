"""The contract of a search index.

The index is derived from the registry and can be rebuilt from it at any time. Its unit is one resource (an MCP server
or an A2A agent): the documents of a resource are written and deleted together. The index stores the stamp of each
resource, so that a comparison of stamps finds the stale ones.

To add an index:

1. Write a module beside `sqlite.py` with a class that has the methods of `SearchIndex`. Import the client library of
   the index in that module and nowhere else.
2. Take words from `columns.word_columns` and `words.query_terms`, so that every index finds the same documents. Store
   the document with `document_json.document_to_json`.
3. Raise SearchError for every failure. A resource whose write was interrupted must show a stamp that no registry has:
   the next repair then builds it again.
4. Choose the class by a setting in `registry.search_index`.
5. Add it to the fixture `empty_index` of `tests/app/federations/search/conftest.py`, which runs the tests of this
   contract on every index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from federations.search.excerpt import excerpt
from federations.search.words import Term

MAX_LIMIT = 100


class SearchError(Exception):
    """Raised by every search index that cannot be read or written. The registry is not affected."""


class DocumentKind(StrEnum):
    """What a document of the index describes: a server, an agent, a tool, a skill, a resource or a prompt."""

    SERVER = "server"
    AGENT = "agent"
    TOOL = "tool"
    SKILL = "skill"
    RESOURCE = "resource"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """One entry of the index: a server, an agent, or a part of one. `documents.py` makes it, and a hit returns it.

    `resource_id` and `path` are the registry id and the registry path of the server or agent that the document belongs
    to. `federation_id` is empty for a server or agent without a federation. A search looks for words in `name`,
    `card_name`, `tags` and `text`. `card_name` is the name in the card of an agent. It has the weight of `name`, and is
    empty for all other documents. `id` is unique in the index.
    """

    id: str
    kind: DocumentKind
    resource_id: str
    federation_id: str
    name: str
    path: str
    text: str
    tags: tuple[str, ...] = ()
    card_name: str = ""


@dataclass(frozen=True, slots=True)
class IndexedResource:
    """All that the index stores for one server or agent: its documents, and the stamp that a repair compares.

    `documents.py` makes it for `SearchIndex.replace`; see `documents.stamp` for the content of the stamp.
    """

    resource_id: str
    federation_id: str
    stamp: str
    documents: tuple[SearchDocument, ...]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a caller asks of `SearchIndex.search`.

    `text` holds the words to find, as the user typed them. An empty `kinds` allows every kind of document, and
    `federation_ids` None allows every federation; an empty string in `federation_ids` stands for the resources without
    a federation. `limit` is the greatest number of hits to return, `offset` the number of best hits to skip. Raises
    ValueError unless 0 < limit <= 100 and offset >= 0.
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
    """A document that a search found.

    A better hit has a higher `score`; scores of different searches cannot be compared. `terms` are those of the query.
    """

    document: SearchDocument
    score: float
    terms: tuple[Term, ...]

    @property
    def snippet(self) -> str:
        """An excerpt of the document's text, as plain text that is not escaped for HTML.

        To make one takes as long as to find the document, and the callers that ask for 100 hits read few or none.
        """
        return excerpt(self.document.text, self.terms)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The result of `SearchIndex.search`: the requested page of hits, best first.

    `total` is the number of all hits of the query, on this page and on all other pages.
    """

    hits: tuple[SearchHit, ...]
    total: int


class SearchIndex(Protocol):
    """The methods that every search index has; services call them.

    Every method raises SearchError if the index cannot be read or written.
    """

    def replace(self, resources: Iterable[IndexedResource], *, delete_first: bool = True) -> None:
        """Index each resource with all its documents, in few calls.

        `delete_first` deletes the existing documents of each resource. A caller may set it to False if the index has
        none of them. A document with the same id is overwritten in both cases. Of two entries for one resource in a
        call the last one is indexed.
        """

    def delete(self, resource_ids: Collection[str]) -> None:
        """Delete all documents of these resources. Ignore unknown ids."""

    def delete_federation(self, federation_id: str) -> None:
        """Delete all documents of one federation."""

    def stamps(self, federation_id: str) -> Mapping[str, str]:
        """Return the stamps of a federation's indexed resources, by resource id.

        The number of calls does not grow with the number of resources, except by pages.
        """

    def search(self, query: SearchQuery) -> SearchPage:
        """Return ranked hits. A document whose whole name is the query comes first. Document ids order equal hits.

        The card's name of an agent is a name in this sense, too.

        A hit matches every word of the query (words.query_terms) by prefix, in names, tags or text. If no document
        matches every word, a document that matches any word is a hit. A query without a letter or digit has no hits.
        An index with an embedding model also has hits without the words, if they are near in meaning; the filters hold
        for them as for all others.
        """

    def clear(self) -> None:
        """Delete all documents and stamps."""
