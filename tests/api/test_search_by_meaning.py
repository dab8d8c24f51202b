"""GET /search with an embedding model: a caller finds what is meant, within what the caller may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from federations.models import McpServer
from federations.search import registry
from federations.search.base import DocumentKind
from federations.services.index import rebuild_index, update_index
from federations.services.search import best_resources, search_each_kind
from tests.app.federations.search.models import write_model
from tests.conftest import Api, MakeFederation, MakeServer

pytestmark = pytest.mark.django_db

SEARCH = "/api/v1/search"


@pytest.fixture
def servers(
    settings: Settings, tmp_path: Path, make_federation: MakeFederation, make_server: MakeServer
) -> Iterator[dict[str, McpServer]]:
    """Servers of one meaning, indexed with a model: of a federation that the reader sees, of a hidden one, of none."""
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")
    settings.FEDHUB_EMBEDDING_MODEL = str(write_model(tmp_path / "model"))
    open_to_reader = make_federation("Finance")
    hidden = make_federation("Board")
    hidden.grants.all().delete()
    made = {
        "seen": make_server(open_to_reader, "books", description="Keeps each invoice"),
        "hidden": make_server(hidden, "secret-books", description="Keeps each invoice of the board"),
        "unfederated": make_server(None, "old-books", description="Kept each invoice"),
    }
    rebuild_index()
    yield made
    registry._index_at.cache_clear()
    registry._meaning_of.cache_clear()


def found(response: Any) -> set[str]:
    assert response.status_code == 200
    return {hit["id"] for hit in response.json()["results"]}


def test_a_caller_finds_by_meaning_what_the_caller_may_see(
    api: Api, reader: User, stranger: User, servers: dict[str, McpServer]
) -> None:
    answer = api(reader).get(SEARCH, {"query": "debts"})
    assert found(answer) == {servers["seen"].id}
    assert answer.json()["pagination"]["total"] == 2
    assert found(api(stranger).get(SEARCH, {"query": "debts"})) == set()
    everything = User.objects.create_superuser("root")
    assert found(api(everything).get(SEARCH, {"query": "debts"})) == {each.id for each in servers.values()}


def test_a_server_without_a_row_is_not_found_by_its_vector(
    api: Api, owner: User, servers: dict[str, McpServer]
) -> None:
    assert servers["seen"].id in found(api(owner).get(SEARCH, {"query": "debts"}))
    McpServer.objects.all().delete()
    assert found(api(owner).get(SEARCH, {"query": "debts"})) == set()


def test_each_kind_and_the_lists_find_by_meaning_too(reader: User, servers: dict[str, McpServer]) -> None:
    pages = search_each_kind(text="debts", user=reader, per_kind=5)
    assert [hit.document.resource_id for hit in pages[DocumentKind.SERVER].hits] == [servers["seen"].id]
    best = best_resources(text="debts", user=reader, kinds=[DocumentKind.SERVER, DocumentKind.TOOL])
    assert (best.ids, best.have_every_word) == ((servers["seen"].id,), False)
    assert best_resources(text="invoice", user=reader, kinds=[DocumentKind.SERVER]).have_every_word


def test_a_sync_writes_the_vectors_of_a_server_that_was_indexed_without_the_model(
    api: Api, reader: User, servers: dict[str, McpServer], settings: Settings
) -> None:
    model, settings.FEDHUB_EMBEDDING_MODEL = settings.FEDHUB_EMBEDDING_MODEL, ""
    rebuild_index()
    settings.FEDHUB_EMBEDDING_MODEL = model
    assert found(api(reader).get(SEARCH, {"query": "debts"})) == set()
    federation_id = servers["seen"].federation_id or ""
    assert update_index(federation_id) == 1
    assert found(api(reader).get(SEARCH, {"query": "debts"})) == {servers["seen"].id}
    assert update_index(federation_id) == 0
