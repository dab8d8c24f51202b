"""Search by meaning in the SQLite index: what is found, within which bounds, and what is left of deleted documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federations.search.base import DocumentKind, IndexedResource, SearchDocument, SearchPage, SearchQuery
from federations.search.meaning import Meaning
from federations.search.repair import plan_repair
from federations.search.sqlite import SqliteSearchIndex
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import BILLING, WEATHER, resource
from tests.app.federations.search.models import BagOfWords


@pytest.fixture
def index(path: Path) -> SqliteSearchIndex:
    """An index with vectors and the documents of the catalog."""
    index = with_model(path)
    index.replace(catalog.ALL)
    return index


def with_model(path: Path, name: str = "bag") -> SqliteSearchIndex:
    return SqliteSearchIndex(path, meaning=Meaning(BagOfWords(name=name)))


def names(page: SearchPage) -> list[str]:
    return [hit.document.name for hit in page.hits]


def stored(path: Path) -> tuple[set[int], set[int], set[int]]:
    """Return the numbers of the documents, of the vectors and of the signs in the file."""
    with closing(sqlite3.connect(path)) as connection:
        documents = {number for (number,) in connection.execute("SELECT number FROM documents")}
        vectors = {number for (number,) in connection.execute("SELECT number FROM vectors")}
        blocks = [np.frombuffer(block, "<i8") for (block,) in connection.execute("SELECT numbers FROM signs")]
    signs = [int(number) for block in blocks for number in block]
    assert len(signs) == len(set(signs))
    return documents, vectors, set(signs)


def test_a_query_in_other_words_finds_what_it_means(index: SqliteSearchIndex, path: Path) -> None:
    assert names(SqliteSearchIndex(path).search(SearchQuery("debts"))) == []
    page = index.search(SearchQuery("debts"))
    assert {"get_invoice_total", "explain-invoice", "billing-server"} <= set(names(page))
    assert {hit.document.federation_id for hit in page.hits} == {"finance", "health"}
    assert page.total == len(page.hits)
    scores = [hit.score for hit in page.hits]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


def test_words_come_before_meaning_and_a_whole_name_before_both(index: SqliteSearchIndex) -> None:
    index.replace([resource("debt"), resource("the debt of debt", text="debt debt"), resource("invoice")])
    found = names(index.search(SearchQuery("debt")))
    assert found[:2] == ["debt", "the debt of debt"]
    assert found.index("invoice") > 1


def test_a_part_is_also_found_by_what_its_resource_means(index: SqliteSearchIndex) -> None:
    # No word of the health check says what its server is for.
    assert "HTTPHealthCheck" in names(index.search(SearchQuery("debts", limit=100)))


def test_a_query_without_meaning_finds_by_words_alone(index: SqliteSearchIndex, path: Path) -> None:
    plain = SqliteSearchIndex(path)
    for text in ("production", "reminder", "nothing_like_it", "?!"):
        query = SearchQuery(text)
        assert {hit.document for hit in index.search(query).hits} == {hit.document for hit in plain.search(query).hits}
        assert index.search(query).total == plain.search(query).total


def test_a_filter_holds_for_meaning_too(index: SqliteSearchIndex) -> None:
    everywhere = index.search(SearchQuery("debts", limit=100)).hits
    assert {hit.document.federation_id for hit in everywhere} == {"finance", "health"}
    health = index.search(SearchQuery("debts", federation_ids=frozenset({"health"})))
    assert {hit.document.federation_id for hit in health.hits} == {"health"}
    many = frozenset({"health", *map(str, range(1_000))})
    assert index.search(SearchQuery("debts", federation_ids=many)) == health
    assert index.search(SearchQuery("debts", federation_ids=frozenset())) == SearchPage((), 0)
    unfederated = index.search(SearchQuery("weather", federation_ids=frozenset({""})))
    assert {hit.document.resource_id for hit in unfederated.hits} == {WEATHER.resource_id}
    tools = index.search(SearchQuery("debts", kinds=frozenset({DocumentKind.TOOL})))
    assert {hit.document.kind for hit in tools.hits} == {DocumentKind.TOOL}


FEDERATIONS = ("a", "b", "")
WORDS = ("debt", "invoice", "customer", "sky", "plain")


@st.composite
def resources(draw: st.DrawFn) -> IndexedResource:
    """A resource of some federation: a server, and up to three tools."""
    number = draw(st.integers(0, 5))
    federation_id = draw(st.sampled_from(FEDERATIONS))
    texts = draw(st.lists(st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join), min_size=1, max_size=4))
    documents = [
        SearchDocument(
            id=f"r{number}" if place == 0 else f"r{number}:tool:{place}",
            kind=DocumentKind.SERVER if place == 0 else DocumentKind.TOOL,
            resource_id=f"r{number}",
            federation_id=federation_id,
            name=f"name{number}",
            path=f"/{number}",
            text=text,
        )
        for place, text in enumerate(texts)
    ]
    return IndexedResource(f"r{number}", federation_id, "1", tuple(documents))


@given(
    found=st.lists(resources(), max_size=6),
    text=st.lists(st.sampled_from([*WORDS, "debts", "person"]), min_size=1, max_size=3).map(" ".join),
    federation_ids=st.none() | st.frozensets(st.sampled_from(FEDERATIONS)),
    kinds=st.frozensets(st.sampled_from([DocumentKind.SERVER, DocumentKind.TOOL])),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_hit_is_outside_of_the_filters(
    tmp_path: Path,
    found: list[IndexedResource],
    text: str,
    federation_ids: frozenset[str] | None,
    kinds: frozenset[DocumentKind],
) -> None:
    index = with_model(tmp_path / "filters.sqlite3")
    index.clear()
    index.replace(found)
    page = index.search(SearchQuery(text, kinds, federation_ids, limit=100))
    for hit in page.hits:
        assert not kinds or hit.document.kind in kinds
        assert federation_ids is None or hit.document.federation_id in federation_ids
    assert page.total == len(page.hits) == len({hit.document.id for hit in page.hits})


STEPS = st.one_of(
    st.tuples(st.just("replace"), st.lists(resources(), min_size=1, max_size=3)),
    st.tuples(st.just("delete"), st.sets(st.sampled_from([f"r{number}" for number in range(6)]))),
    st.tuples(st.just("delete_federation"), st.sampled_from(FEDERATIONS)),
    st.tuples(st.just("clear"), st.none()),
)


@given(steps=st.lists(STEPS, max_size=8), loses_model=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_left_of_documents_that_are_deleted_or_replaced(
    tmp_path: Path, steps: list[tuple[str, object]], loses_model: bool
) -> None:
    path = tmp_path / "steps.sqlite3"
    index = with_model(path)
    index.clear()
    current: dict[str, IndexedResource] = {}
    for number, (step, given_) in enumerate(steps):
        # A process without the model must delete the vectors of the documents that it writes.
        writer = SqliteSearchIndex(path) if loses_model and number == len(steps) // 2 else index
        if step == "replace":
            assert isinstance(given_, list)
            writer.replace(given_)
            current |= {each.resource_id: each for each in given_}
        elif step == "delete":
            assert isinstance(given_, set)
            writer.delete(given_)
            current = {key: each for key, each in current.items() if key not in given_}
        elif step == "delete_federation":
            writer.delete_federation(str(given_))
            current = {key: each for key, each in current.items() if each.federation_id != given_}
        else:
            writer.clear()
            current = {}
        documents, vectors, signs = stored(path)
        assert vectors == signs <= documents
        assert len(documents) == sum(len(each.documents) for each in current.values())

    if not loses_model:
        fresh = with_model(tmp_path / "fresh.sqlite3")
        fresh.clear()
        fresh.replace(current.values())
        query = SearchQuery("debts person", limit=100)
        assert {hit.document for hit in index.search(query).hits} == {hit.document for hit in fresh.search(query).hits}


def test_pages_cover_the_hits_by_words_and_by_meaning_once(path: Path) -> None:
    index = with_model(path)
    index.replace([resource(f"invoice {number}") for number in range(9)])
    index.replace([resource(f"debt {number}") for number in range(9)])
    whole = index.search(SearchQuery("debt", limit=100))
    pages = [index.search(SearchQuery("debt", limit=5, offset=offset)) for offset in range(0, 25, 5)]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert {page.total for page in [whole, *pages]} == {18}
    assert all(hit.document.name.startswith("debt") for hit in whole.hits[:9])


def test_a_document_that_was_written_without_the_model_is_found_and_waits_for_its_vector(path: Path) -> None:
    SqliteSearchIndex(path).replace(catalog.ALL)
    index = with_model(path)
    assert "get_invoice_total" in names(index.search(SearchQuery("invoice")))
    assert index.search(SearchQuery("debts")) == SearchPage((), 0)
    wanted = {BILLING.resource_id: BILLING.stamp}
    assert SqliteSearchIndex(path).stamps("finance") == wanted
    assert plan_repair(wanted, index.stamps("finance"), ()).rebuild_with_delete == {BILLING.resource_id}
    index.replace([BILLING])
    assert index.stamps("finance") == wanted
    assert "get_invoice_total" in names(index.search(SearchQuery("debts")))


def test_the_vectors_of_another_model_are_not_compared(index: SqliteSearchIndex, path: Path) -> None:
    newer = SqliteSearchIndex(path, meaning=Meaning(BagOfWords((("debt", "invoice"),) * 2 + (("x",),) * 70, "newer")))
    assert newer.search(SearchQuery("debt")) == SearchPage((), 0)
    assert names(newer.search(SearchQuery("invoice")))
    assert newer.stamps("finance") == {BILLING.resource_id: f"{BILLING.stamp}|1:bag"}
    newer.replace(catalog.ALL)
    assert newer.stamps("finance") == {BILLING.resource_id: BILLING.stamp}
    assert "get_invoice_total" in names(newer.search(SearchQuery("debt")))


def test_a_resource_without_meaning_is_not_written_again(path: Path) -> None:
    index = with_model(path)
    index.replace([resource("plain")])
    assert stored(path) == ({1}, set(), set())
    assert index.stamps("finance") == {"plain": "1"}


def test_any_text_has_a_vector_or_none(path: Path) -> None:
    index = with_model(path)
    odd = SearchDocument("x", DocumentKind.TOOL, "x", "f", "debt \ud800 na\x00me", "/x", "\n\n", ("tag\x00",))
    index.replace([IndexedResource("x", "f", "1", (odd,)), IndexedResource("bare", "f", "1", ())])
    assert names(index.search(SearchQuery("invoice \udfff"))) == [odd.name]


def test_a_document_that_is_not_of_its_resource_has_its_own_meaning(path: Path) -> None:
    index = with_model(path)
    (document,) = resource("sky").documents
    index.replace([replace(resource("sky"), documents=(document, replace(document, id="other", name="debt")))])
    assert names(index.search(SearchQuery("weather"))) == ["sky"]
    assert names(index.search(SearchQuery("invoice"))) == ["debt"]


@pytest.fixture
def many(path: Path) -> Iterator[SqliteSearchIndex]:
    """A thousand documents, more than are compared by their vectors."""
    index = with_model(path)
    index.replace([resource(f"{number} sky") for number in range(990)])
    index.replace([resource(f"{number} forged") for number in range(10)])
    yield index


def test_the_nearest_of_many_documents_are_found(many: SqliteSearchIndex) -> None:
    assert set(names(many.search(SearchQuery("swindle", limit=100)))) == {f"{number} forged" for number in range(10)}


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=90), st.lists(st.floats(-1, 1, width=32), min_size=90))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stored_vector_has_the_cosine_of_the_vector(tmp_path: Path, left: list[float], right: list[float]) -> None:
    rows = np.array([left, right[: len(left)]], np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths < 1e-3).any():
        return
    rows = (rows / lengths).astype(np.float32)

    class Fixed:
        name = "fixed"

        def embed(self, texts: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
            return rows[1:]

    path = tmp_path / "cosine.sqlite3"
    meaning = Meaning(Fixed())
    (document,) = resource("x").documents
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE vectors (number INTEGER PRIMARY KEY, model TEXT, vector BLOB)")
        connection.execute("CREATE TABLE signs (resource_id, kind, federation_id, model, numbers BLOB, bits BLOB)")
        meaning.insert(connection, [document], rows[:1], 7)
        asked = meaning.of("x")
        assert asked
        assert asked.similarities(connection, [7])[7] == pytest.approx(float(rows[0] @ rows[1]), abs=0.02)
    assert not path.exists()
