"""The Weaviate adapter with a server that is down, slow, refuses objects, or has another schema.

The recordings of the double have the names of these tests as their keys.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from federations.search import weaviate as adapter
from federations.search import weaviate_schema, weaviate_search
from federations.search.base import IndexedResource, SearchError, SearchPage, SearchQuery
from federations.search.weaviate import WeaviateSearchIndex
from federations.search.weaviate_connection import WeaviateServer
from tests.app.federations.search import catalog
from tests.app.federations.search.catalog import BILLING, resource
from tests.weaviate_double.fixtures import COLLECTION
from tests.weaviate_double.front import REFUSED, Front
from tests.weaviate_double.recording import Replay


def found(index: WeaviateSearchIndex, text: str) -> list[str]:
    return [hit.document.name for hit in index.search(SearchQuery(text, limit=100)).hits]


@contextmanager
def opened(server: WeaviateServer, query_seconds: float = 5.0) -> Iterator[WeaviateSearchIndex]:
    index = WeaviateSearchIndex(server, query_seconds=query_seconds, write_seconds=5.0)
    yield index
    index.close()


def test_before_the_first_write_there_is_nothing_and_no_error(weaviate_index: WeaviateSearchIndex) -> None:
    weaviate_index.delete(["unknown"])
    weaviate_index.delete_federation("finance")
    assert weaviate_index.stamps("finance") == {}
    assert weaviate_index.search(SearchQuery("invoice")) == SearchPage((), 0)


def test_a_collection_that_somebody_dropped_is_as_good_as_empty(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front
) -> None:
    weaviate_index.replace([BILLING])
    assert found(weaviate_index, "sendReminder")[0] == "sendReminder"
    with opened(weaviate_double.server(COLLECTION)) as other:
        other._connection._run(lambda client: client.collections.delete(COLLECTION))
    assert found(weaviate_index, "sendReminder") == []
    assert weaviate_index.stamps("finance") == {}
    weaviate_index.delete([BILLING.resource_id])
    weaviate_index.replace([BILLING])
    assert found(weaviate_index, "sendReminder")[0] == "sendReminder"


def test_a_newer_schema_is_an_error_that_names_the_remedy(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    weaviate_index.replace([BILLING])
    monkeypatch.setattr(weaviate_schema, "SCHEMA_VERSION", weaviate_schema.SCHEMA_VERSION - 1)
    with opened(weaviate_double.server(COLLECTION)) as older:
        for call in (
            lambda: older.search(SearchQuery("invoice")),
            lambda: older.stamps("finance"),
            lambda: older.replace([BILLING]),
            lambda: older.delete_federation("finance"),
        ):
            with pytest.raises(SearchError, match="rebuild_search"):
                call()
        older.clear()
        older.replace([BILLING])
        assert older.stamps("finance") == {BILLING.resource_id: BILLING.stamp}


def test_an_older_schema_is_empty_and_the_next_write_replaces_it(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    weaviate_index.replace(catalog.ALL)
    monkeypatch.setattr(weaviate_schema, "SCHEMA_VERSION", weaviate_schema.SCHEMA_VERSION + 1)
    with opened(weaviate_double.server(COLLECTION)) as newer:
        assert newer.search(SearchQuery("invoice")) == SearchPage((), 0)
        assert newer.stamps("finance") == {}
        newer.delete_federation("finance")
        newer.replace([BILLING])
        assert newer.stamps("finance") == {BILLING.resource_id: BILLING.stamp}
        assert newer.stamps("health") == {}
        assert found(newer, "sendReminder")[0] == "sendReminder"


def test_a_server_that_was_away_is_used_again(weaviate_index: WeaviateSearchIndex, weaviate_double: Front) -> None:
    weaviate_index.replace([BILLING])
    with weaviate_double.down():
        for _ in range(2):
            with pytest.raises(SearchError, match="search index http"):
                weaviate_index.stamps("finance")
        started = time.monotonic()
        with pytest.raises(SearchError):
            weaviate_index.search(SearchQuery("invoice"))
        assert time.monotonic() - started < 4.0
    assert weaviate_index.stamps("finance") == {BILLING.resource_id: BILLING.stamp}


def test_a_server_that_was_away_at_first_is_used_later(weaviate_double: Front) -> None:
    with opened(weaviate_double.server(COLLECTION)) as index:
        with weaviate_double.down(), pytest.raises(SearchError, match="refused"):
            index.replace([BILLING])
        index.replace([BILLING])
        assert index.stamps("finance") == {BILLING.resource_id: BILLING.stamp}


def test_a_restart_in_the_middle_of_a_batch_loses_nothing(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front
) -> None:
    weaviate_index.replace([resource("first")])
    # The unfinished marker is the first batch, the documents are the second.
    weaviate_double.cut_after(2)
    weaviate_index.replace([BILLING])
    page = weaviate_index.search(SearchQuery("invoice"))
    assert len({hit.document.id for hit in page.hits}) == len(page.hits) == page.total
    assert weaviate_index.stamps("finance") == {"first": "1", BILLING.resource_id: BILLING.stamp}


def test_a_half_refused_batch_is_an_error_and_shows_as_stale(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front
) -> None:
    weaviate_index.replace([BILLING])
    newer = IndexedResource(BILLING.resource_id, "finance", "newer", BILLING.documents)
    weaviate_double.refuses_half = True
    with pytest.raises(SearchError, match=rf"3 of 6 objects could not be indexed: {REFUSED[:8]}"):
        weaviate_index.replace([newer])
    weaviate_double.refuses_half = False
    assert weaviate_index.stamps("finance") == {BILLING.resource_id: adapter.UNFINISHED}
    weaviate_index.replace([newer])
    assert weaviate_index.stamps("finance") == {BILLING.resource_id: "newer"}
    assert found(weaviate_index, "sendReminder")[0] == "sendReminder"


def test_a_wholly_refused_batch_says_why(weaviate_index: WeaviateSearchIndex, weaviate_double: Front) -> None:
    weaviate_double.refuses_all = True
    with pytest.raises(SearchError, match=rf"none of 1 objects could be indexed: .*{REFUSED[:8]}"):
        weaviate_index.replace([BILLING])


def test_a_slow_server_is_an_error_in_time(weaviate_index: WeaviateSearchIndex, weaviate_double: Front) -> None:
    weaviate_index.replace([BILLING])
    with opened(weaviate_double.server(COLLECTION), query_seconds=0.5) as hasty:
        assert hasty.stamps("finance")
        weaviate_double.delay_seconds = 3.0
        started = time.monotonic()
        with pytest.raises(SearchError, match="Deadline Exceeded"):
            hasty.stamps("finance")
        assert time.monotonic() - started < 2.5
        weaviate_double.delay_seconds = 0.0


def test_many_stamps_come_by_pages(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"ledger {number}" for number in range(10)]
    weaviate_index.replace(resource(name) for name in names)
    weaviate_double.calls.clear()
    assert weaviate_index.stamps("finance") == dict.fromkeys(names, "1")
    assert weaviate_double.calls.count("Search") == 1
    monkeypatch.setattr(adapter, "STAMPS_PAGE", 4)
    weaviate_double.calls.clear()
    assert weaviate_index.stamps("finance") == dict.fromkeys(names, "1")
    assert weaviate_double.calls == ["Search"] * 3


def test_pages_beyond_the_window_cover_all_hits_once(
    weaviate_index: WeaviateSearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    weaviate_index.replace(resource(f"same {suffix}", text="same") for suffix in "ihgfedcba")
    weaviate_index.replace([resource("same", text="x " * 50)])
    monkeypatch.setattr(weaviate_search, "WINDOW", 4)
    monkeypatch.setattr(weaviate_search, "DEEP_WINDOW", 12)
    pages = [weaviate_index.search(SearchQuery("same", limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    hits = [hit.document.name for page in pages for hit in page.hits]
    assert hits == ["same", *(f"same {suffix}" for suffix in "abcdefghi")]
    assert {page.total for page in pages} == {10}
    monkeypatch.setattr(weaviate_search, "DEEP_WINDOW", 6)
    assert weaviate_index.search(SearchQuery("same", offset=10)) == SearchPage((), 10)
    with pytest.raises(SearchError, match="first 6 hits"):
        weaviate_index.search(SearchQuery("same", offset=6))


def test_many_documents_are_sent_in_several_batches(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BATCH_OBJECTS", 4)
    monkeypatch.setattr(adapter, "DELETE_IDS", 2)
    weaviate_index.replace(catalog.ALL)
    documents = sum(len(each.documents) for each in catalog.ALL)
    assert weaviate_double.calls.count("BatchObjects") == 2 + -(-documents // 4)
    assert weaviate_double.calls.count("BatchDelete") == 2
    monkeypatch.setattr(adapter, "BATCH_CHARS", 1)
    weaviate_double.calls.clear()
    weaviate_index.replace([BILLING])
    assert weaviate_double.calls.count("BatchObjects") == 2 + len(BILLING.documents)


def test_threads_share_one_index(weaviate_index: WeaviateSearchIndex) -> None:
    weaviate_index.replace(catalog.ALL)
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: weaviate_index.search(SearchQuery("invoice")), range(16)))
    assert len({tuple(hit.document.id for hit in page.hits) for page in pages}) == 1
    assert pages[0].total >= 4


FORKS = """
import os, sys
import django
django.setup()
from federations.search.weaviate import WeaviateSearchIndex
from federations.search.weaviate_connection import WeaviateServer
index = WeaviateSearchIndex(WeaviateServer(*sys.argv[1:3], collection=sys.argv[3]))
before = index.stamps("finance")
child = os.fork()
if not child:
    os._exit(0 if index.stamps("finance") == before else 1)
_, status = os.waitpid(child, 0)
assert index.stamps("finance") == before
index.close()
sys.exit(os.waitstatus_to_exitcode(status) or (0 if before else 2))
"""


def test_a_forked_process_connects_anew_and_leaves_its_parents_connection_alone(
    weaviate_index: WeaviateSearchIndex, weaviate_double: Front
) -> None:
    weaviate_index.replace([BILLING])
    server = weaviate_double.server(COLLECTION)
    run = subprocess.run(
        [sys.executable, "-c", FORKS, server.url, server.grpc_url, COLLECTION], capture_output=True, timeout=30
    )
    assert (run.returncode, run.stderr) == (0, b"")


def test_the_api_key_goes_with_every_call_and_into_no_text(weaviate_double: Front) -> None:
    open_server = weaviate_double.server(COLLECTION)
    server = WeaviateServer(open_server.url, open_server.grpc_url, "s3cret", collection=COLLECTION)
    with opened(server) as index:
        index.replace([BILLING])
        index.search(SearchQuery("invoice"))
        assert weaviate_double.authorizations == {"Bearer s3cret"}
        with weaviate_double.down(), pytest.raises(SearchError) as caught:
            index.stamps("finance")
    assert "s3cret" not in f"{caught.value!r} {server!r}"


def test_https_means_tls_for_both_addresses(weaviate_double: Front) -> None:
    params = WeaviateServer("https://search.example.com").connection_params()
    assert (params.http.port, params.http.secure) == (443, True)
    assert (params.grpc.host, params.grpc.port, params.grpc.secure) == ("search.example.com", 50051, True)
    params = WeaviateServer("http://search:8080", "https://rpc.example.com").connection_params()
    assert (params.http.port, params.http.secure) == (8080, False)
    assert (params.grpc.host, params.grpc.port, params.grpc.secure) == ("rpc.example.com", 443, True)
    plain = weaviate_double.server(COLLECTION)
    tls = WeaviateServer(plain.url.replace("http:", "https:"), plain.grpc_url)
    with opened(tls) as index, pytest.raises(SearchError, match="SSL"):
        index.stamps("finance")


def test_a_server_that_has_only_begun_to_start_is_an_error_and_not_empty(weaviate_front: Front) -> None:
    weaviate_front.reset()
    weaviate_front.answers = Replay(
        [
            ("GET /v1/meta", None, {"status": 200, "body": {"version": "1.39.0"}}),
            ("GET /v1/schema/Fresh", None, {"status": 404, "body": None}),
            ("GET /v1/.well-known/ready", None, {"status": 503, "body": None}),
        ]
    )
    with opened(weaviate_front.server("Fresh")) as index, pytest.raises(SearchError, match="not ready yet"):
        index.stamps("finance")
    assert weaviate_front.unknown == []


def test_the_double_answers_nothing_but_what_was_recorded(weaviate_front: Front) -> None:
    weaviate_front.reset()
    meta = {"status": 200, "body": {"version": "1.39.0"}}
    weaviate_front.answers = Replay([("GET /v1/meta", None, meta)])
    with opened(weaviate_front.server("Unheard")) as index, pytest.raises(SearchError, match="500"):
        index.stamps("finance")
    assert weaviate_front.unknown == ["GET /v1/schema/Unheard null"]
