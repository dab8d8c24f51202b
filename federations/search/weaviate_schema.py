"""The schema of the one collection of the index, and the objects in it.

Each document is an object. Each resource has one more object, its marker, with the stamp. `words.py` makes the words,
as for every index, and Weaviate splits them at white space.

    words       every word once; a filter on it decides whether a document is a hit (Like "word*")
    squashed_names   the names of the document as one word each, for the search by a whole name
    name_words, tag_words, text_words, joined_name_words, joined_words   the words by column (see `columns.py`); BM25
                ranks whole words by them
    beginnings  the proper prefixes of the words in names and tags; BM25 ranks unfinished words by them
    prose       name and text in their original form, for the vectorizer, if there is one
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from uuid import UUID, uuid5

from weaviate import WeaviateClient
from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization
from weaviate.classes.data import DataObject

from federations.search.base import IndexedResource, SearchDocument
from federations.search.columns import squashed_names, word_columns
from federations.search.document_json import document_from_json, document_to_json

# Raise it with every change of the schema, of the objects, or of the words that words.py makes.
SCHEMA_VERSION = 2
MARKER = "marker"
# BM25 returns only the objects with a score, so this token is in every document and in every query. It is neither a
# letter nor a digit, so no word of a text equals it.
EVERY_DOCUMENT = "·"
MAX_BEGINNING_CHARS = 16

_DOCUMENTS = UUID("6b1f0a52-6b5c-4d6f-9a55-4f1f6b7c1b5e")
_MARKERS = UUID("b2a6f7c8-0a3b-4c62-8f43-0a6de1a2c5d9")
_DESCRIPTION = re.compile(r"fedhub search index, schema (\d+), vectorizer (\S+)")

Values = dict[str, object]


def description(vectorizer: str) -> str:
    """Return the description that a collection of this version and vectorizer has."""
    return f"fedhub search index, schema {SCHEMA_VERSION}, vectorizer {vectorizer or 'none'}"


def is_outdated(found: str, vectorizer: str) -> bool:
    """Tell whether a collection with the description `found` is of an older version and the same vectorizer."""
    described = _DESCRIPTION.fullmatch(found)
    return described is not None and int(described[1]) < SCHEMA_VERSION and described[2] == (vectorizer or "none")


def create_collection(client: WeaviateClient, name: str, vectorizer: str) -> None:
    """Create the collection. `vectorizer` is the name of a module, with the server's defaults, or empty."""
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
            _text_property("key", Tokenization.FIELD, filterable=True),
            _text_property("kind", Tokenization.FIELD, filterable=True),
            _text_property("resource_id", Tokenization.FIELD, filterable=True),
            _text_property("federation", Tokenization.FIELD, filterable=True),
            _text_property("squashed_names", Tokenization.FIELD, data_type=DataType.TEXT_ARRAY, filterable=True),
            _text_property("words", Tokenization.WHITESPACE, filterable=True),
            _text_property("name_words", Tokenization.WHITESPACE, searchable=True),
            _text_property("tag_words", Tokenization.WHITESPACE, searchable=True),
            _text_property("text_words", Tokenization.WHITESPACE, searchable=True),
            _text_property("joined_name_words", Tokenization.WHITESPACE, searchable=True),
            _text_property("joined_words", Tokenization.WHITESPACE, searchable=True),
            _text_property("beginnings", Tokenization.WHITESPACE, searchable=True),
            _text_property("prose", Tokenization.WORD, vectorized=True),
            _text_property("stamp", Tokenization.FIELD),
            _text_property("body", Tokenization.FIELD),
        ],
        # There are no stop words: a tool may have the name "the" or "a", and every word of a query must match.
        inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        vector_config=vectors,
    )


def document_object(document: SearchDocument, *, has_vectorizer: bool) -> DataObject[Values, None]:
    """Return the object of a document. The id of the object follows from the id of the document."""
    words = word_columns(document)
    every_word = [*words.names, *words.tags, *words.text, *words.joined_names, *words.joined]
    prose = {"prose": _encodable_text("\n".join(_prose(document)))} if has_vectorizer else {}
    values: Values = {
        "key": document.id,
        "kind": document.kind.value,
        "resource_id": document.resource_id,
        "federation": federation_value(document.federation_id),
        "squashed_names": [name for name in squashed_names(document) if name],
        "words": _join_words(dict.fromkeys(every_word)),
        "name_words": _join_words(words.names),
        "tag_words": _join_words(words.tags),
        "text_words": _join_words([EVERY_DOCUMENT, *words.text]),
        "joined_name_words": _join_words(words.joined_names),
        "joined_words": _join_words(words.joined),
        "beginnings": _join_words(_beginnings([*words.names, *words.tags])),
        "body": document_to_json(document),
        **prose,
    }
    return DataObject(properties=values, uuid=document_uuid(document.id))


def marker_object(resource: IndexedResource, stamp: str) -> DataObject[Values, None]:
    """Return the marker of an indexed resource. It has no words, so no search finds it."""
    values: Values = {
        "kind": MARKER,
        "resource_id": resource.resource_id,
        "federation": federation_value(resource.federation_id),
        "stamp": stamp,
    }
    return DataObject(properties=values, uuid=uuid5(_MARKERS, resource.resource_id))


def document_uuid(document_id: str) -> UUID:
    """Return the object id of the document with this id."""
    return uuid5(_DOCUMENTS, document_id)


def federation_value(federation_id: str) -> str:
    """Return the indexed form of a federation's id. It is never empty, since no filter finds an empty text."""
    return f"={federation_id}"


def document_from_values(values: Mapping[str, object]) -> SearchDocument:
    """Return the document of an object."""
    return document_from_json(str(values["body"]))


def _text_property(
    name: str,
    tokenization: Tokenization,
    *,
    data_type: DataType = DataType.TEXT,
    filterable: bool = False,
    searchable: bool = False,
    vectorized: bool = False,
) -> Property:
    return Property(
        name=name,
        data_type=data_type,
        tokenization=tokenization,
        index_filterable=filterable,
        index_searchable=searchable,
        skip_vectorization=not vectorized,
        vectorize_property_name=False,
    )


def _prose(document: SearchDocument) -> list[str]:
    return [text for text in (document.name, document.card_name, document.text) if text]


def _join_words(words: Iterable[str]) -> str:
    return " ".join(words)


def _beginnings(words: Iterable[str]) -> list[str]:
    """Return each proper prefix of each word once, with at least two characters."""
    found: dict[str, None] = {}
    for word in words:
        for end in range(2, min(len(word), MAX_BEGINNING_CHARS + 1)):
            found[word[:end]] = None
    return list(found)


def _encodable_text(text: str) -> str:
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
