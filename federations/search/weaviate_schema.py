"""The one collection of the index, and what an object in it looks like.

Each document is an object, and each resource one more, its marker, which carries the stamp. Words come from `words.py`,
as for every index; Weaviate has only to split them at white space.

    words       every word once: what decides whether a document is a hit (Like "word*")
    name_words, tag_words, text_words   the same by column: what BM25 ranks whole words by
    beginnings  the proper prefixes of the name's and tags' words: what BM25 ranks unfinished words by
    prose       name and text as they are, for the vectorizer, where there is one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID, uuid5

from weaviate import WeaviateClient
from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization
from weaviate.classes.data import DataObject

from federations.search.base import IndexedResource, SearchDocument
from federations.search.body import body_of, document_in
from federations.search.words import index_words, squash

# Raise it with every change of the schema, of the objects, or of how words.py makes words.
SCHEMA_VERSION = 1
MARKER = "marker"
# BM25 returns what it gives a score: this is in every document and in every query. No word of a text can be equal to
# it, because it is neither letter nor digit.
EVERY_DOCUMENT = "·"
MAX_BEGINNING_CHARS = 16

_DOCUMENTS = UUID("6b1f0a52-6b5c-4d6f-9a55-4f1f6b7c1b5e")
_MARKERS = UUID("b2a6f7c8-0a3b-4c62-8f43-0a6de1a2c5d9")

Values = dict[str, object]


def description(vectorizer: str) -> str:
    """Return what a collection of this version says of itself."""
    return f"fedhub search index, schema {SCHEMA_VERSION}, vectorizer {vectorizer or 'none'}"


def create_collection(client: WeaviateClient, name: str, vectorizer: str) -> None:
    """Create the collection; `vectorizer` names a module, with the server's defaults, or is empty."""
    if vectorizer:
        vectors = Configure.Vectors.custom(
            module_name=vectorizer, module_config={"vectorizeClassName": False}, source_properties=["prose"]
        )
    else:
        vectors = Configure.Vectors.self_provided()
    client.collections.create(
        name,
        description=description(vectorizer),
        properties=[
            # FIELD: the whole value is one token.
            _text("key", Tokenization.FIELD, filterable=True),
            _text("kind", Tokenization.FIELD, filterable=True),
            _text("resource_id", Tokenization.FIELD, filterable=True),
            _text("federation", Tokenization.FIELD, filterable=True),
            _text("squashed_name", Tokenization.FIELD, filterable=True),
            _text("words", Tokenization.WHITESPACE, filterable=True),
            _text("name_words", Tokenization.WHITESPACE, searchable=True),
            _text("tag_words", Tokenization.WHITESPACE, searchable=True),
            _text("text_words", Tokenization.WHITESPACE, searchable=True),
            _text("beginnings", Tokenization.WHITESPACE, searchable=True),
            _text("prose", Tokenization.WORD, vectorized=True),
            _text("stamp", Tokenization.FIELD),
            _text("body", Tokenization.FIELD),
        ],
        # A tool may well be named "the" or "a"; and every word of a query counts.
        inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        vector_config=vectors,
    )


def document_object(document: SearchDocument, *, has_vectorizer: bool) -> DataObject[Values, None]:
    """Return a document as an object, whose id follows from the document's."""
    name, tags, text = (index_words(column) for column in (document.name, " ".join(document.tags), document.text))
    prose = {"prose": _encodable(f"{document.name}\n{document.text}")} if has_vectorizer else {}
    values: Values = {
        "key": document.id,
        "kind": document.kind.value,
        "resource_id": document.resource_id,
        "federation": federation_value(document.federation_id),
        "squashed_name": squash(document.name),
        "words": _joined(dict.fromkeys([*name, *tags, *text])),
        "name_words": _joined(name),
        "tag_words": _joined(tags),
        "text_words": _joined([EVERY_DOCUMENT, *text]),
        "beginnings": _joined(_beginnings([*name, *tags])),
        "body": body_of(document),
        **prose,
    }
    return DataObject(properties=values, uuid=document_uuid(document.id))


def marker_object(resource: IndexedResource, stamp: str) -> DataObject[Values, None]:
    """Return what says that a resource is indexed; it has no words, so no search finds it."""
    values: Values = {
        "kind": MARKER,
        "resource_id": resource.resource_id,
        "federation": federation_value(resource.federation_id),
        "stamp": stamp,
    }
    return DataObject(properties=values, uuid=uuid5(_MARKERS, resource.resource_id))


def document_uuid(document_id: str) -> UUID:
    """Return the object id that a document of this id always has."""
    return uuid5(_DOCUMENTS, document_id)


def federation_value(federation_id: str) -> str:
    """Return a federation's id as it is filtered by: never empty, since an empty text is in no inverted index."""
    return f"={federation_id}"


def document_of(values: Mapping[str, object]) -> SearchDocument:
    """Return the document that an object was made of."""
    return document_in(str(values["body"]))


def _text(
    name: str,
    tokenization: Tokenization,
    *,
    filterable: bool = False,
    searchable: bool = False,
    vectorized: bool = False,
) -> Property:
    return Property(
        name=name,
        data_type=DataType.TEXT,
        tokenization=tokenization,
        index_filterable=filterable,
        index_searchable=searchable,
        skip_vectorization=not vectorized,
        vectorize_property_name=False,
    )


def _joined(words: Iterable[str]) -> str:
    return " ".join(words)


def _beginnings(words: Iterable[str]) -> list[str]:
    """Return each proper prefix of each word once, from two characters on."""
    found: dict[str, None] = {}
    for word in words:
        for end in range(2, min(len(word), MAX_BEGINNING_CHARS + 1)):
            found[word[:end]] = None
    return list(found)


def _encodable(text: str) -> str:
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
