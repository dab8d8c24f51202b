"""Syncs into a real Weaviate server.

    WEAVIATE_URL=http://127.0.0.1:8080 python -m pytest -n0 tests/live/test_weaviate.py

WEAVIATE_GRPC_URL, WEAVIATE_API_KEY and WEAVIATE_VECTORIZER have the same meaning as for a hub. Each test creates its
own collection and drops it, so the other collections of the server stay. The hub reaches the server through the front
of the double, which forwards requests and injects the faults of a test.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from core.actors import Actor
from federations.models import A2aAgent, Federation, McpServer, SyncJob
from federations.search import weaviate_schema
from federations.search.base import IndexedResource, SearchError, SearchIndex, SearchQuery
from federations.search.registry import search_index
from federations.search.weaviate import UNFINISHED, WeaviateSearchIndex
from federations.services.federations import delete_federation
from federations.services.index import rebuild_index
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.resources import ResourceKind, UnchangedRuntime
from tests.app.federations.search.catalog import resource
from tests.findings import SEEN_AT, agent, arn_of, runtime, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.weaviate_double.fixtures import live_server
from tests.weaviate_double.forward import Forward
from tests.weaviate_double.front import Front

pytestmark = [
    pytest.mark.live,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(live_server("Any") is None, reason="needs a Weaviate server, named by WEAVIATE_URL"),
]

ME = Actor("1", "tests")


@pytest.fixture
def front(settings: Settings) -> Iterator[Front]:
    """The front before the real server, in the hub's settings, with a collection for this test alone."""
    collection = f"FedhubLive{secrets.token_hex(4)}"
    real = live_server(collection)
    assert real is not None
    forward = Forward(real)
    front = Front(forward)
    mine = front.server(collection, real.vectorizer)
    settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_URL = mine.url, mine.grpc_url
    settings.WEAVIATE_COLLECTION, settings.WEAVIATE_VECTORIZER = collection, real.vectorizer
    yield front
    index = search_index()
    assert isinstance(index, WeaviateSearchIndex)
    index.close()
    forward.drop(collection)
    front.stop()
    forward.close()


@pytest.fixture
def index(front: Front) -> SearchIndex:
    return search_index()


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Live", provider_config={"region": "us-east-1"})


def sync(federation: Federation, *findings: Any) -> SyncJob:
    fresh = Federation.objects.get(id=federation.id)
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh, by=ME).id)


def unchanged(name: str) -> UnchangedRuntime:
    return UnchangedRuntime(runtime(name).runtime_id, arn_of(name), name, "1", SEEN_AT, ResourceKind.MCP_SERVER, "MCP")


def found(text: str) -> list[str]:
    return [hit.document.name for hit in search_index().search(SearchQuery(text, limit=100)).hits]


def stored_ids() -> set[str]:
    return {*McpServer.objects.values_list("id", flat=True), *A2aAgent.objects.values_list("id", flat=True)}


def test_a_sync_builds_updates_and_deletes(index: SearchIndex, federation: Federation) -> None:
    job = sync(federation, server("billing", tools=("issue_refund",)), server("payroll"), agent("helper"))
    assert (job.status, job.index_error) == ("success", "")
    assert set(index.stamps(federation.id)) == stored_ids()
    assert found("refund")[0] == "issue_refund"
    assert found("answer") == ["Answer questions", "helper"]
    job = sync(federation, server("billing", version="2", tools=("print_invoice",)), agent("helper"))
    assert (job.status, job.index_error) == ("success", "")
    assert found("refund") == found("payroll") == []
    assert found("invoice")[0] == "print_invoice"
    assert set(index.stamps(federation.id)) == stored_ids()


def test_an_unchanged_sync_asks_the_server_a_handful_of_times(front: Front, federation: Federation) -> None:
    names = [f"server_{number:03}" for number in range(60)]
    sync(federation, *(server(name) for name in names))
    front.calls.clear()
    job = sync(federation, *(unchanged(name) for name in names))
    assert (job.status, job.index_error) == ("success", "")
    assert len(front.calls) <= 3


def test_stale_missing_and_surplus_documents_are_mended_by_the_next_sync(
    index: SearchIndex, federation: Federation
) -> None:
    names = ("stale", "missing", "fine")
    sync(federation, *(server(name, tools=(f"{name}tool",)) for name in names))
    right = dict(index.stamps(federation.id))
    ids = {row.server_name: row.id for row in McpServer.objects.all()}
    index.replace([IndexedResource(ids["stale"], federation.id, "old", ())])
    index.delete([ids["missing"]])
    index.replace([resource("surplus", federation_id=federation.id)])
    assert found("surplus") == ["surplus"]
    assert found("staletool") == found("missingtool") == []
    job = sync(federation, *(unchanged(name) for name in names))
    assert job.index_error == ""
    assert index.stamps(federation.id) == right
    assert found("surplus") == []
    assert [found(f"{name}tool")[0] for name in names] == [f"{name}tool" for name in names]


def test_a_server_that_is_down_fails_no_sync_and_the_next_one_mends(front: Front, federation: Federation) -> None:
    sync(federation, server("first", tools=("old_tool",)))
    with front.down():
        job = sync(federation, server("first", version="2", tools=("new_tool",)), server("second"))
        assert job.status == "success"
        assert job.index_error
        assert McpServer.objects.count() == 2
    job = sync(federation, server("first", version="2", tools=("new_tool",)), unchanged("second"))
    assert job.index_error == ""
    assert set(search_index().stamps(federation.id)) == stored_ids()
    assert found("new_tool")[0] == "new_tool"
    assert found("old_tool") != ["old_tool"]


def test_half_a_refused_batch_fails_no_sync_and_the_next_one_mends(front: Front, federation: Federation) -> None:
    front.refuses_half = True
    job = sync(federation, server("billing", tools=("one", "two", "three")))
    assert job.status == "success"
    assert "2 of 4 objects could not be indexed" in job.index_error
    assert set(search_index().stamps(federation.id).values()) == {UNFINISHED}
    front.refuses_half = False
    job = sync(federation, unchanged("billing"))
    assert job.index_error == ""
    assert search_index().search(SearchQuery("billing", limit=100)).total == 4
    assert UNFINISHED not in search_index().stamps(federation.id).values()


def test_a_restart_in_the_middle_leaves_the_index_whole(front: Front, federation: Federation) -> None:
    names = [f"server_{number:03}" for number in range(20)]
    front.cut_after(2)
    job = sync(federation, *(server(name) for name in names))
    assert job.status == "success"
    if job.index_error:
        assert sync(federation, *(unchanged(name) for name in names)).index_error == ""
    assert set(search_index().stamps(federation.id)) == stored_ids()
    assert search_index().search(SearchQuery("server", limit=100)).total == 40


def test_a_federation_deleted_while_the_server_was_down_is_gone_after_a_rebuild(
    front: Front, federation: Federation
) -> None:
    kept = Federation.objects.create(display_name="Kept", provider_config={"region": "us-east-1"})
    sync(federation, server("gone"))
    sync(kept, server("kept"))
    with front.down():
        job = delete_federation(Federation.objects.get(id=federation.id), by=ME)
    assert job.status == "success"
    assert job.index_error
    assert found("gone") != []
    assert rebuild_index() == 1
    assert found("gone") == []
    assert found("kept")[0] == "kept"


def test_a_collection_of_an_older_schema_is_rebuilt_by_the_next_sync(
    front: Front, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(federation, server("billing"))
    index = search_index()
    assert isinstance(index, WeaviateSearchIndex)
    index.close()
    monkeypatch.setattr(weaviate_schema, "SCHEMA_VERSION", weaviate_schema.SCHEMA_VERSION + 1)
    index._connection._is_schema_known = False
    assert found("billing") == []
    sync(federation, server("billing"))
    assert found("billing")[0] == "billing"


def test_a_collection_of_a_newer_schema_is_rebuilt_by_the_command(
    front: Front, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(federation, server("billing"))
    index = search_index()
    assert isinstance(index, WeaviateSearchIndex)
    index.close()
    monkeypatch.setattr(weaviate_schema, "SCHEMA_VERSION", weaviate_schema.SCHEMA_VERSION - 1)
    fresh = WeaviateSearchIndex(front.server(index._connection._server.collection))
    with pytest.raises(SearchError, match="rebuild_search"):
        fresh.search(SearchQuery("billing"))
    fresh.close()
    call_command("rebuild_search", stdout=StringIO())
    assert found("billing")[0] == "billing"


def test_more_is_deleted_than_one_call_of_the_server_takes(front: Front) -> None:
    # The server deletes QUERY_MAXIMUM_RESULTS objects in a call, by default 10,000.
    index = search_index()
    document = resource("ledger").documents[0]
    for start in range(0, 10_500, 1_500):
        several = (resource(f"ledger {number}") for number in range(start, start + 1_500))
        index.replace(several, delete_first=False)
    assert len(index.stamps(document.federation_id)) == 10_500
    page = index.search(SearchQuery("ledger", limit=100, offset=9_000))
    assert (page.total, len(page.hits)) == (10_500, 100)
    with pytest.raises(SearchError, match="10000 hits"):
        index.search(SearchQuery("ledger", offset=9_990))
    front.calls.clear()
    index.delete_federation(document.federation_id)
    # Two calls for the documents, two for the markers.
    assert front.calls.count("BatchDelete") == 4
    assert index.stamps(document.federation_id) == {}
    assert index.search(SearchQuery("ledger")).total == 0
