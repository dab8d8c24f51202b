"""The JSON form in which an index stores a document beside its words."""

from __future__ import annotations

import json

from federations.search.base import DocumentKind, SearchDocument


def document_to_json(document: SearchDocument) -> str:
    """Return the document as ASCII JSON, which every index can store, with lone surrogates and U+0000 escaped."""
    return json.dumps(
        [
            document.id,
            document.kind,
            document.resource_id,
            document.federation_id,
            document.name,
            document.path,
            document.text,
            document.tags,
            document.card_name,
        ]
    )


def document_from_json(body: str) -> SearchDocument:
    """Return the document of a text from `document_to_json`."""
    id_, kind, resource_id, federation_id, name, path, text, tags, card_name = json.loads(body)
    return SearchDocument(id_, DocumentKind(kind), resource_id, federation_id, name, path, text, tuple(tags), card_name)
