"""A document as one text, as the indexes keep it beside the words that it is found by."""

from __future__ import annotations

import json

from federations.search.base import DocumentKind, SearchDocument


def body_of(document: SearchDocument) -> str:
    """Return the document as ASCII JSON, which can be kept even where its text has a lone surrogate or a NUL."""
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
        ]
    )


def document_in(body: str) -> SearchDocument:
    """Return the document that a text of `body_of` holds."""
    id_, kind, resource_id, federation_id, name, path, text, tags = json.loads(body)
    return SearchDocument(id_, DocumentKind(kind), resource_id, federation_id, name, path, text, tuple(tags))
