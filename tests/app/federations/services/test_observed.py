"""A resource shows the status and the description that the cloud changed without a new version."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from core.actors import Actor
from federations.models import A2aAgent, DiscoveredResource, Federation, McpServer, RuntimeObservation, SyncJob
from federations.search.base import SearchQuery
from federations.search.registry import search_index
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.unfederated import sync_unfederated
from federations.sync.changes import kind_of
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, UnchangedRuntime
from peers.models import Visibility
from peers.services.catalog.agents import find_visible_agent, visible_agents
from tests.findings import SEEN_AT, agent, failure, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

Enriched = EnrichedMcpServer | EnrichedAgent
LATER = SEEN_AT + timedelta(minutes=1)
BOTH = pytest.mark.parametrize("make", [server, agent], ids=["server", "agent"])


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Observed", provider_config={"region": "us-east-1"})


def found(make: Any, *, status: str, at: datetime = SEEN_AT, description: str = "", version: str = "1") -> Enriched:
    new: Enriched = make("one", version=version)
    return replace(
        new, runtime=replace(new.runtime, status=status, last_updated_at=at, description=description or "An old text")
    )


def listed(make: Any, *, status: str, at: datetime = SEEN_AT) -> UnchangedRuntime:
    new: Enriched = make("one")
    runtime = new.runtime
    return UnchangedRuntime(
        runtime.runtime_id, runtime.arn, runtime.name, "1", at, kind_of(new), runtime.protocol, status
    )


def failed(make: Any, *, status: str) -> FailedRuntime:
    return replace(failure("one"), kind=kind_of(make("one")), status=status)


def sync(federation: Federation, *findings: Any) -> SyncJob:
    fresh = Federation.objects.get(id=federation.id)
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh, by=Actor("1", "tests")).id)


def resource() -> DiscoveredResource:
    return McpServer.objects.first() or A2aAgent.objects.get()


@BOTH
@pytest.mark.parametrize("way", ["asked again", "listed"])
def test_a_runtime_found_while_updating_is_shown_ready_once_it_is(federation: Federation, make: Any, way: str) -> None:
    sync(federation, found(make, status="UPDATING"))
    before = resource()
    assert before.shown_status == "UPDATING"
    again = found(make, status="READY", at=LATER) if way == "asked again" else listed(make, status="READY")
    job = sync(federation, again)
    after = resource()
    assert after.shown_status == "READY"
    # The resource is not written, and the counters say so.
    assert (after.status, after.updated_at, after.enriched_at) == ("UPDATING", before.updated_at, before.enriched_at)
    assert job.summary and job.summary["unchangedMcpServers"] + job.summary["unchangedAgents"] == 1
    assert job.summary["updatedMcpServers"] + job.summary["updatedAgents"] == 0
    assert job.changes == []


@BOTH
def test_each_later_status_is_shown_and_the_way_back_too(federation: Federation, make: Any) -> None:
    sync(federation, found(make, status="READY"))
    for status in ("UPDATING", "UPDATE_FAILED", "DELETING", "READY", "UPDATING"):
        sync(federation, listed(make, status=status))
        assert resource().shown_status == status
    # A listing that does not say the status changes nothing.
    sync(federation, listed(make, status=""))
    assert resource().shown_status == "UPDATING"


@BOTH
def test_a_runtime_that_fails_shows_its_status(federation: Federation, make: Any) -> None:
    sync(federation, found(make, status="UPDATING"))
    sync(federation, failed(make, status="READY"))
    assert resource().shown_status == "READY"
    sync(federation, failed(make, status=""))
    assert resource().shown_status == "READY"


@BOTH
def test_a_new_version_is_shown_from_the_resource_again(federation: Federation, make: Any) -> None:
    sync(federation, found(make, status="UPDATING"))
    sync(federation, listed(make, status="READY"))
    sync(federation, found(make, status="UPDATE_FAILED", version="2"))
    assert (resource().status, resource().shown_status) == ("UPDATE_FAILED", "UPDATE_FAILED")
    assert RuntimeObservation.objects.filter(server=None, agent=None).count() == 1


@BOTH
def test_a_new_description_under_the_same_version_is_shown_and_found(federation: Federation, make: Any) -> None:
    sync(federation, found(make, status="READY"))
    sync(federation, found(make, status="READY", at=LATER, description="Refunds of parcels"))
    assert (resource().description, resource().shown_description) == ("An old text", "Refunds of parcels")
    assert search("parcels") == [resource().id]
    assert search("old") == []
    # The description stays where the next sync need not ask for it.
    sync(federation, listed(make, status="READY", at=LATER))
    assert resource().shown_description == "Refunds of parcels"


def search(text: str) -> list[str]:
    """Return the ids of the found resources themselves; a tool or a skill has an id with a colon."""
    return [hit.document.id for hit in search_index().search(SearchQuery(text)).hits if ":" not in hit.document.id]


@BOTH
def test_api_and_admin_show_filter_and_find_what_was_observed(
    federation: Federation, make: Any, admin_client: Client, django_user_model: type[User]
) -> None:
    sync(federation, found(make, status="UPDATING"))
    sync(federation, found(make, status="READY", at=LATER, description="Refunds of parcels"))
    name = "servers" if make is server else "agents"
    for query, count in (
        ("", 1),
        ("?status=READY", 1),
        ("?status=UPDATING", 0),
        ("?status=DELETING", 0),
        ("?query=parcels", 1),
        ("?query=old text", 0),
        ("?query=one", 1),
    ):
        listing = admin_client.get(f"/api/v1/{name}{query}").json()[name]
        assert [item["status"] for item in listing] == ["READY"] * count, query
    assert [item["description"] for item in admin_client.get(f"/api/v1/{name}").json()[name]] == ["Refunds of parcels"]
    shown = admin_client.get(f"/api/v1/{name}/{resource().id}").json()
    assert (shown["status"], shown["federationMetadata"]["runtimeStatus"]) == ("READY", "READY")
    model = "mcpserver" if make is server else "a2aagent"
    for query, is_listed in (("", True), ("?status=READY", True), ("?status=UPDATING", False)):
        page = admin_client.get(f"/admin/federations/{model}/{query}").content.decode()
        assert (f"/{resource().id}/" in page) is is_listed, query
    page = admin_client.get(f"/admin/federations/{model}/{resource().id}/change/").content.decode()
    assert "READY" in page and "UPDATING" not in page and "Refunds of parcels" in page


def test_peers_see_an_agent_as_active_once_it_is_ready(federation: Federation, settings: Settings) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = Visibility.PUBLIC.value
    sync(federation, found(agent, status="UPDATING"))
    assert [seen.status for seen in visible_agents(None)] == ["inactive"]
    sync(federation, listed(agent, status="READY"))
    assert [seen.status for seen in visible_agents(None)] == ["active"]
    seen = find_visible_agent("one", None)
    assert seen and seen.status == "active"


@BOTH
def test_a_sync_of_one_runtime_shows_its_status_and_leaves_the_other_observations(make: Any) -> None:
    arn = make("one").runtime.arn
    with provider(MemoryProvider(findings=[found(make, status="UPDATING"), server("two")])):
        sync_unfederated(region="us-east-1", runtime_arn=None, dry_run=False, by=Actor("1", "tests"))
    with provider(MemoryProvider(findings=[listed(make, status="READY")])):
        sync_unfederated(region="us-east-1", runtime_arn=arn, dry_run=False, by=Actor("1", "tests"))
    model = McpServer if make is server else A2aAgent
    assert model.objects.get(path__endswith="/one").shown_status == "READY"
    assert RuntimeObservation.objects.count() == 2


@BOTH
def test_a_deleted_resource_leaves_no_reference(federation: Federation, make: Any) -> None:
    sync(federation, found(make, status="UPDATING"))
    sync(federation, listed(make, status="READY"))
    resource().delete()
    assert RuntimeObservation.objects.filter(server=None, agent=None).count() == 1
