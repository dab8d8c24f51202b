"""A sync keeps what it cannot read anew: lost listings, warnings, statuses of runtimes that are not called, tags."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from core.actors import Actor
from federations.models import A2aAgent, Federation, McpServer, RuntimeObservation, SyncJob
from federations.services.preview import preview_sync
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.changes import kind_of
from federations.sync.content import MAX_BYTES
from federations.sync.resources import (
    EnrichedMcpServer,
    JsonObject,
    ResourceKind,
    SyncWarning,
    UnavailableRuntime,
    UnchangedRuntime,
)
from tests.findings import SEEN_AT, agent, failure, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

LATER = SEEN_AT + timedelta(minutes=1)
LISTINGS = ["tools", "resources", "resource_templates", "prompts"]


@pytest.fixture(autouse=True)
def own_index(settings: Settings, tmp_path: Path) -> None:
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")


@pytest.fixture
def federation() -> Federation:
    config = {"region": "us-east-1", "resourceTagsFilter": {"env": "x"}}
    return Federation.objects.create(display_name="Incomplete", provider_config=config)


def sync(federation: Federation, *findings: Any) -> SyncJob:
    fresh = Federation.objects.get(id=federation.id)
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh, by=Actor("1", "tests")).id)


def offering(version: str = "1", **listings: list[str] | None) -> EnrichedMcpServer:
    """Return a server with one item in each listing, or the items named; None means that the listing is lost."""
    found = server("one", version=version)
    items: dict[str, Any] = {}
    for name in LISTINGS:
        names = listings.get(name, [f"a {name}"])
        items[name] = tuple({"name": item, "inputSchema": {"type": "object"}} for item in names or ())
    lost = frozenset(name for name in LISTINGS if listings.get(name, []) is None)
    warnings = tuple(SyncWarning("listing", f"{name}/list", found.runtime.runtime_id, "error -32603") for name in lost)
    return replace(found, catalog=replace(found.catalog, **items, lost_listings=lost, warnings=warnings))


def observed() -> RuntimeObservation:
    return RuntimeObservation.objects.get()


@pytest.mark.parametrize("lost", LISTINGS)
def test_the_stored_items_of_a_lost_listing_stay(federation: Federation, lost: str) -> None:
    sync(federation, offering())
    others = {name: ["new"] for name in LISTINGS if name != lost}
    job = sync(federation, offering("2", **{lost: None}, **others))
    row = McpServer.objects.get()
    names = {name: [item["name"] for item in getattr(row, name)] for name in LISTINGS}
    assert names == {**others, lost: [f"a {lost}"]}
    assert row.num_tools == 1
    assert (job.status, job.warning_count, job.error) == ("success", 1, "")
    assert [warning["kind"] for warning in job.warnings] == ["listing"]
    assert observed().is_incomplete
    assert observed().warnings == job.warnings


def test_a_new_server_with_a_lost_listing_is_stored_without_it(federation: Federation) -> None:
    job = sync(federation, offering(prompts=None))
    assert (job.status, McpServer.objects.get().prompts) == ("success", [])
    assert observed().is_incomplete


def test_an_incomplete_server_is_asked_again_until_it_is_complete(federation: Federation) -> None:
    sync(federation, offering(prompts=None))
    twin = MemoryProvider(findings=[offering(prompts=["summarize"])])
    with provider(twin):
        job = run_sync(start_sync(Federation.objects.get(id=federation.id), by=Actor("1", "tests")).id)
    (seen,) = twin.requests[0].observations.values()
    assert seen.needs_enrichment
    assert [change["reason"] for change in job.changes] == ["last enrichment was incomplete"]
    assert [prompt["name"] for prompt in McpServer.objects.get().prompts] == ["summarize"]
    assert (observed().is_incomplete, observed().warnings) == (False, [])


@pytest.mark.parametrize("again", [None, ["a prompts"]], ids=["still lost", "read, and the same"])
def test_an_incomplete_server_that_gives_nothing_else_is_unchanged(
    federation: Federation, again: list[str] | None
) -> None:
    sync(federation, offering())
    sync(federation, offering("2", prompts=None))
    before = McpServer.objects.get()
    job = sync(federation, offering("2", prompts=again))
    after = McpServer.objects.get()
    assert (after.updated_at, after.prompts) == (before.updated_at, before.prompts)
    assert job.summary and (job.summary["unchangedMcpServers"], job.summary["updatedMcpServers"]) == (1, 0)
    assert observed().is_incomplete is (again is None)


def test_warnings_beyond_the_bounds_are_counted(federation: Federation) -> None:
    found = offering()
    many = tuple(SyncWarning("tool", f"t{number}", found.runtime.runtime_id, "left out") for number in range(612))
    job = sync(federation, replace(found, catalog=replace(found.catalog, warnings=many)))
    assert (len(job.warnings), job.warning_count) == (501, 612)
    assert job.warnings[-1]["kind"] == "more"
    assert job.warnings[-1]["message"] == "and 112 more"
    assert len(observed().warnings) == 51
    assert observed().warnings[-1]["message"] == "and 562 more"


def test_a_dry_run_has_the_warnings_of_the_sync(federation: Federation) -> None:
    with provider(MemoryProvider(findings=[offering(prompts=None)])):
        preview = preview_sync(federation)
    assert preview.warnings == sync(federation, offering(prompts=None)).warnings


@pytest.mark.parametrize("make", [server, agent], ids=["server", "agent"])
def test_a_runtime_that_is_not_called_keeps_its_resource_and_does_not_fail_the_sync(
    federation: Federation, make: Any
) -> None:
    new = make("one")
    sync(federation, new)
    gone = replace(new.runtime, status="DELETE_FAILED", version="2", failure_reason="Locked", last_updated_at=LATER)
    job = sync(federation, UnavailableRuntime(gone, kind_of(new)))
    row = McpServer.objects.first() or A2aAgent.objects.get()
    assert (row.runtime_version, row.shown_status, job.status) == ("1", "DELETE_FAILED", "success")
    assert job.summary and job.summary["unchangedMcpServers"] + job.summary["unchangedAgents"] == 1
    assert [warning["message"] for warning in job.warnings] == ["not read in status DELETE_FAILED: Locked"]
    assert (observed().failure_reason, observed().warnings) == ("Locked", job.warnings)
    # The stored version is not the observed one, so the runtime is read as soon as it answers.
    twin = MemoryProvider(findings=[make("one", version="2")])
    with provider(twin):
        run_sync(start_sync(Federation.objects.get(id=federation.id), by=Actor("1", "tests")).id)
    (seen,) = twin.requests[0].observations.values()
    assert seen.needs_enrichment
    assert (observed().failure_reason, observed().warnings) == ("", [])


def test_a_new_runtime_that_is_not_called_is_inventory_alone(federation: Federation) -> None:
    runtime = replace(server("one").runtime, status="CREATE_FAILED", failure_reason="No such image")
    job = sync(federation, UnavailableRuntime(runtime, ResourceKind.MCP_SERVER))
    assert job.summary and job.summary["discoveredMcpServers"] == 0
    assert (job.status, McpServer.objects.count(), observed().failure_reason) == ("success", 0, "No such image")
    assert Federation.objects.get().last_listed_at is not None


def test_the_time_of_the_first_error_stays_until_a_good_answer(federation: Federation) -> None:
    sync(federation, failure("one"))
    since = observed().error_since
    sync(federation, failure("one", error="enrichment failed: 500"))
    assert since is not None
    assert (observed().error, observed().error_since) == ("enrichment failed: 500", since)
    sync(federation, server("one"))
    assert observed().error_since is None


def test_the_warnings_of_the_last_good_answer_stay_while_a_runtime_fails(federation: Federation) -> None:
    sync(federation, offering(prompts=None))
    kept = observed().warnings
    job = sync(federation, failure("one", version="1"))
    assert (observed().warnings, observed().is_incomplete) == (kept, True)
    assert job.warnings == []


@pytest.mark.parametrize("make", [server, agent], ids=["server", "agent"])
def test_tags_that_changed_alone_are_shown_without_a_write_of_the_resource(federation: Federation, make: Any) -> None:
    new = make("one")
    sync(federation, replace(new, runtime=replace(new.runtime, tags={"env": "x", "team": "old"})))
    before = McpServer.objects.first() or A2aAgent.objects.get()
    listed = UnchangedRuntime(
        new.runtime.runtime_id, new.runtime.arn, "one", "1", SEEN_AT, kind_of(new), tags={"env": "x", "team": "pay"}
    )
    job = sync(federation, listed)
    after = type(before)._default_manager.get()
    assert after.tags == ["env:x", "team:pay"]
    assert after.updated_at == before.updated_at
    assert job.changes == []
    sync(federation, replace(listed, tags=None))
    assert type(before)._default_manager.get().tags == ["env:x", "team:pay"]


def test_content_over_its_bound_is_the_error_of_its_resource(federation: Federation) -> None:
    found = offering()
    large: tuple[JsonObject, ...] = ({"name": "large", "description": "x" * MAX_BYTES},)
    job = sync(federation, replace(found, catalog=replace(found.catalog, resources=large)), server("two"))
    assert (job.status, McpServer.objects.count()) == ("failed", 1)
    assert job.error == f"MCP server one: its content is larger than {MAX_BYTES} bytes"
