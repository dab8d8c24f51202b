from __future__ import annotations

import pytest

from federations.search.base import SearchQuery
from federations.search.columns import has_every_term
from federations.search.memory import MemorySearchIndex
from federations.search.words import query_terms
from tests.app.federations.search import catalog


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("invoice", True),
        ("getInvoiceTotal", True),
        ("reminders customers", True),
        ("wetterdienst zurich", True),
        ("customer forgery", False),
        ("zebra forgery", False),
    ],
)
def test_a_document_has_every_term_exactly_where_the_index_found_all_words(text: str, is_whole: bool) -> None:
    index = MemorySearchIndex()
    index.replace(catalog.ALL)
    hits = index.search(SearchQuery(text)).hits
    assert hits
    assert {has_every_term(hit.document, query_terms(text)) for hit in hits} == {is_whole}
