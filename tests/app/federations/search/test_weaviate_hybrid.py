"""Search by words and meaning together, recorded from a server with the module text2vec-transformers.

To record again, set WEAVIATE_VECTORIZER=text2vec-transformers as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from federations.search.base import DocumentKind, SearchError, SearchQuery
from federations.search.memory import MemorySearchIndex
from federations.search.weaviate import WeaviateSearchIndex
from tests.app.federations.search import catalog
from tests.weaviate_double.fixtures import COLLECTION
from tests.weaviate_double.front import Front

VECTORIZER = "text2vec-transformers"


@pytest.fixture
def hybrid(weaviate_double: Front) -> Iterator[WeaviateSearchIndex]:
    """The adapter with a vectorizer and the documents of the catalog."""
    index = WeaviateSearchIndex(weaviate_double.server(COLLECTION, VECTORIZER))
    index.replace(catalog.ALL)
    yield index
    index.close()


@pytest.mark.parametrize(
    "query",
    [
        SearchQuery("invoice"),
        SearchQuery("invoi"),
        SearchQuery("customer forgery"),
        SearchQuery("sky in the next hours"),
        SearchQuery("invoice", kinds=frozenset({DocumentKind.TOOL})),
        SearchQuery("invoice", federation_ids=frozenset({"health", ""})),
        SearchQuery("nothing_like_it"),
    ],
    ids=lambda query: f"{query.text}-{len(query.kinds)}-{len(query.federation_ids or ())}",
)
def test_a_vectorizer_changes_the_order_of_hits_and_nothing_else(
    hybrid: WeaviateSearchIndex, query: SearchQuery
) -> None:
    memory = MemorySearchIndex()
    memory.replace(catalog.ALL)
    page, expected = hybrid.search(query), memory.search(query)
    assert {hit.document.id for hit in page.hits} == {hit.document.id for hit in expected.hits}
    assert page.total == expected.total
    scores = [hit.score for hit in page.hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("text", ["getInvoiceTotal", "billing-server", "Detect forgery", "wetterdienst zürich"])
def test_an_exact_name_is_the_first_hit_with_a_vectorizer_too(hybrid: WeaviateSearchIndex, text: str) -> None:
    memory = MemorySearchIndex()
    memory.replace(catalog.ALL)
    first = memory.search(SearchQuery(text)).hits[0].document
    assert hybrid.search(SearchQuery(text)).hits[0].document == first


def test_another_vectorizer_needs_a_rebuild(hybrid: WeaviateSearchIndex, weaviate_double: Front) -> None:
    plain = WeaviateSearchIndex(weaviate_double.server(COLLECTION))
    with pytest.raises(SearchError, match=r"a newer version or another vectorizer; run .*rebuild_search"):
        plain.search(SearchQuery("invoice"))
    plain.close()
    assert hybrid.search(SearchQuery("invoice")).total == 4
