"""The rows that a sync writes, the rows that it does not write, and its outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from core.actors import Actor, actor_of
from core.errors import ConflictError, ExternalServiceError, NotFoundError
from federations.models import (
    A2aAgent,
    Federation,
    FederationGrant,
    JobTrigger,
    McpServer,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.providers.base import ProviderError
from federations.search.base import SearchQuery
from federations.search.registry import search_index
from federations.services.federations import delete_federation, set_enabled, update_federation
from federations.services.jobs import end_lapsed_jobs
from federations.services.preview import preview_sync
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.apply import start_apply
from federations.services.stored_plans.described import HeldPlanError
from federations.sync.resources import ResourceKind, UnchangedRuntime
from tests.findings import SEEN_AT, agent, arn_of, failure, runtime, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

ME = Actor("1", "tests")
MANY = [server(f"server_{number:02}") for number in range(20)]


@pytest.fixture
def federation() -> Federation:
    return Federation.objects.create(display_name="Sync", provider_config={"region": "us-east-1"})


def sync(federation: Federation, *findings: Any, force: bool = False) -> SyncJob:
    fresh = Federation.objects.get(id=federation.id)
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh, by=ME, force=force).id)


def summary_of(job: SyncJob) -> dict[str, Any]:
    assert job.summary is not None
    return dict(job.summary)


def unchanged(name: str, version: str = "1", *, minutes_later: int = 0) -> UnchangedRuntime:
    later = SEEN_AT + timedelta(minutes=minutes_later)
    return UnchangedRuntime(
        runtime(name).runtime_id, arn_of(name), name, version, later, ResourceKind.MCP_SERVER, "MCP"
    )


def test_a_first_sync_stores_everything_and_counts_it(federation: Federation) -> None:
    job = sync(federation, server("one", tools=("a", "b")), agent("helper"))
    federation.refresh_from_db()
    assert (job.status, job.phase, job.held) == ("success", "completed", False)
    assert (federation.mcp_server_count, federation.agent_count, federation.tool_count) == (1, 1, 2)
    assert federation.imported_total == 2
    assert federation.last_sync == job
    assert summary_of(job)["createdMcpServers"] == summary_of(job)["createdAgents"] == 1
    assert [change["reason"] for change in job.changes] == ["new agent", "new server"]
    stored = McpServer.objects.get()
    assert (stored.path, stored.num_tools, stored.runtime_access) == ("/agentcore/mcp/one", 2, {"mode": "iam"})
    assert A2aAgent.objects.get().path == "/agentcore/a2a/helper"


def test_an_unchanged_sync_writes_no_resource_row(federation: Federation) -> None:
    sync(federation, server("one"), agent("helper"))
    with counted_queries() as queries:
        job = sync(federation, unchanged("one"), agent("helper"))
    assert summary_of(job)["unchangedMcpServers"] == summary_of(job)["unchangedAgents"] == 1
    written = [query for query in queries if query.lower().startswith(("insert", "update", "delete"))]
    assert written
    tables = {table for table in ("mcpserver", "a2aagent", "runtimeobservation") for query in written if table in query}
    assert tables == set()


def test_a_sync_reads_no_audience_until_it_has_a_token_to_mint(federation: Federation) -> None:
    sync(federation, server("one"), agent("helper"))
    with counted_queries() as queries:
        sync(federation, unchanged("one"), agent("helper"))
    assert not [query for query in queries if "access_mode" in query]


def test_two_tags_of_a_runtime_with_one_name_are_stored_once(federation: Federation) -> None:
    tagged = replace(server("one"), runtime=runtime("one", tags={"a": "b:c", "a:b": "c", "d": "e"}))
    assert sync(federation, tagged).status == "success"
    assert McpServer.objects.get().tags == ["a:b:c", "d:e"]


def test_a_newer_time_of_update_under_the_same_version_changes_only_the_observation(federation: Federation) -> None:
    sync(federation, server("one"))
    before = McpServer.objects.get().updated_at
    sync(federation, unchanged("one", minutes_later=5))
    assert McpServer.objects.get().updated_at == before
    assert RuntimeObservation.objects.get().last_updated_at == SEEN_AT + timedelta(minutes=5)


def test_an_observation_says_whether_the_runtime_needs_an_enrichment(federation: Federation) -> None:
    sync(federation, server("good"), failure("bad"))
    twin = MemoryProvider(findings=[server("good")])
    with provider(twin):
        preview_sync(Federation.objects.get(id=federation.id))
    needs = {key: seen.needs_enrichment for key, seen in twin.requests[0].observations.items()}
    assert needs == {runtime("good").runtime_id: False, runtime("bad").runtime_id: True}


def test_a_failed_resource_marks_the_job_failed_and_the_good_ones_are_applied(federation: Federation) -> None:
    sync(federation, server("one"), server("two"))
    job = sync(federation, failure("one", version="2"), server("two", version="2"))
    federation.refresh_from_db()
    assert (job.status, job.phase, federation.sync_status) == ("failed", "failed", "failed")
    assert summary_of(job)["errorMessages"] == ["MCP server one: enrichment failed: 403 Forbidden"]
    assert federation.sync_message == summary_of(job)["errorMessages"][0]
    versions = dict(McpServer.objects.values_list("server_name", "runtime_version"))
    assert versions == {"one": "1", "two": "2"}


def test_a_resource_that_had_failed_is_updated_when_it_answers_again(federation: Federation) -> None:
    sync(federation, server("one"))
    sync(federation, failure("one"))
    job = sync(federation, server("one"))
    assert summary_of(job)["updatedMcpServers"] == 1
    assert job.changes[0]["reason"] == "last enrichment had failed"


def test_a_failed_listing_is_the_last_sync_and_leaves_children_and_stats(federation: Federation) -> None:
    sync(federation, server("one"))
    with provider(MemoryProvider(error=ProviderError("Failed to list AgentCore runtimes in us-east-1: no"))):
        job = start_sync(Federation.objects.get(id=federation.id), by=ME)
        with pytest.raises(ExternalServiceError, match="Failed to list AgentCore runtimes in us-east-1: no"):
            run_sync(job.id)
    federation.refresh_from_db()
    job.refresh_from_db()
    assert federation.last_sync == job
    assert (federation.sync_status, federation.mcp_server_count) == ("failed", 1)
    counters = {name: value for name, value in summary_of(job).items() if name != "errorMessages"}
    assert counters.pop("errors") == 1
    assert set(counters.values()) == {0}
    assert job.finished_at is not None


def test_an_unexpected_error_ends_the_job_without_telling_its_text(federation: Federation) -> None:
    def fail(request: object) -> None:
        raise RuntimeError("password=1234")

    with provider(MemoryProvider(before_answer=fail)):
        job = start_sync(federation, by=ME)
        with pytest.raises(RuntimeError):
            run_sync(job.id)
    job.refresh_from_db()
    assert job.status == "failed"
    assert "1234" not in job.error


def test_a_plan_that_deletes_much_is_held_and_can_be_released_with_a_reason(federation: Federation) -> None:
    sync(federation, *MANY)
    with pytest.raises(HeldPlanError, match="it would delete 20 of 20 stored resources"):
        sync(federation)
    assert McpServer.objects.count() == 20
    federation.refresh_from_db()
    held = federation.last_sync
    assert held is not None
    assert (held.status, held.held, len(held.changes)) == ("failed", True, 20)
    assert federation.mcp_server_count == 20

    plan = StoredPlan.objects.select_related("federation").get(id=held.plan_id)
    with provider(MemoryProvider()):
        job = start_apply(plan, digest=plan.digest, by=ME, reason="account was emptied", trigger=JobTrigger.MANUAL)
        released = run_sync(job.id)
    assert (released.status, released.reason, released.force) == ("success", "account was emptied", False)
    assert McpServer.objects.count() == 0


def test_a_dry_run_says_that_a_plan_would_be_held_and_keeps_nothing(federation: Federation) -> None:
    sync(federation, *MANY)
    before = Federation.objects.filter(id=federation.id).values().get()
    with provider(MemoryProvider()):
        preview = preview_sync(Federation.objects.get(id=federation.id))
    assert preview.held
    assert preview.summary["deletedMcpServers"] == 20
    assert Federation.objects.filter(id=federation.id).values().get() == before
    assert SyncJob.objects.count() == 1


def test_after_a_forced_config_change_only_the_next_sync_passes_the_guard(federation: Federation) -> None:
    sync(federation, *MANY)
    with provider(MemoryProvider()):
        update_federation(
            Federation.objects.get(id=federation.id),
            display_name="Moved",
            description=None,
            tags=[],
            provider_config={"region": "eu-west-1"},
            force=True,
            by=ME,
        )
    sync(federation, *MANY[:1])
    assert McpServer.objects.count() == 1
    sync(federation, *MANY)
    with pytest.raises(HeldPlanError):
        sync(federation)


def test_a_resync_after_an_update_runs_only_if_the_configuration_really_changed(federation: Federation) -> None:
    def put(config: dict[str, Any]) -> None:
        update_federation(
            Federation.objects.get(id=federation.id),
            display_name="Sync",
            description=None,
            tags=[],
            provider_config=config,
            sync_after_update=True,
            by=ME,
        )

    with provider(MemoryProvider(findings=[server("one")])):
        put({"region": "us-east-1"})
        assert SyncJob.objects.count() == 0
        put({"region": "eu-west-1"})
    assert SyncJob.objects.get().job_type == "config_resync"
    assert McpServer.objects.count() == 1


def test_a_name_that_belongs_to_another_federation_is_skipped_and_untouched(federation: Federation) -> None:
    sync(federation, server("shared"))
    other = Federation.objects.create(display_name="Other", provider_config={"region": "us-east-1"})
    job = sync(other, server("shared"), server("own"))
    assert (job.status, summary_of(job)["skippedMcpServers"], summary_of(job)["createdMcpServers"]) == ("success", 1, 1)
    assert McpServer.objects.get(server_name="shared").federation_id == federation.id
    sync(other)
    assert list(McpServer.objects.values_list("server_name", flat=True)) == ["shared"]


def test_deleting_removes_only_the_federation_s_own_rows(federation: Federation) -> None:
    other = Federation.objects.create(display_name="Other", provider_config={"region": "us-east-1"})
    sync(federation, server("mine"), agent("mine_too"))
    sync(other, server("theirs"))
    job = delete_federation(Federation.objects.get(id=federation.id), by=ME)
    assert (job.status, job.phase, job.job_type) == ("success", "completed", "delete_sync")
    assert list(Federation.objects.values_list("id", flat=True)) == [other.id]
    assert list(McpServer.objects.values_list("server_name", flat=True)) == ["theirs"]
    assert A2aAgent.objects.count() == FederationGrant.objects.count() == 0
    assert set(RuntimeObservation.objects.values_list("scope", flat=True)) == {other.id}
    assert set(search_index().stamps(federation.id)) == set()
    assert SyncJob.objects.filter(federation_id=federation.id).count() == 2


def test_the_search_index_follows_a_sync(federation: Federation) -> None:
    sync(federation, server("billing", tools=("issue_refund",)))
    hits = search_index().search(SearchQuery("refund")).hits
    assert [hit.document.name for hit in hits] == ["issue_refund", "billing"]
    sync(federation, server("billing", version="2", tools=("print_invoice",)))
    assert search_index().search(SearchQuery("refund")).total == 0
    assert search_index().search(SearchQuery("invoice")).total == 2


def test_an_index_that_is_down_does_not_fail_the_sync_and_is_repaired_by_the_next(
    federation: Federation, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "a_file").write_text("no folder")
    good_path = settings.SEARCH_PATH
    settings.SEARCH_PATH = str(tmp_path / "a_file" / "search.sqlite3")
    job = sync(federation, server("billing", tools=("issue_refund",)))
    assert job.status == "success"
    assert job.index_error
    settings.SEARCH_PATH = good_path
    sync(federation, unchanged("billing"))
    assert search_index().search(SearchQuery("refund")).total == 2


def test_a_delete_survives_an_index_that_is_down(federation: Federation, settings: Settings, tmp_path: Path) -> None:
    sync(federation, server("billing"))
    (tmp_path / "a_file").write_text("no folder")
    settings.SEARCH_PATH = str(tmp_path / "a_file" / "search.sqlite3")
    job = delete_federation(Federation.objects.get(id=federation.id), by=ME)
    assert job.status == "success"
    assert job.index_error
    assert Federation.objects.count() == 0


def test_an_update_is_audited_with_its_actor_and_without_a_session(
    federation: Federation, django_user_model: type[User]
) -> None:
    person = django_user_model.objects.create_user("auditee")
    with provider(MemoryProvider()):
        update_federation(
            federation,
            display_name="Renamed",
            description=None,
            tags=["prod"],
            provider_config={"region": "us-east-1"},
            by=actor_of(person),
        )
    entry = LogEntry.objects.get(action=LogEntry.Action.UPDATE)
    assert entry.actor == person
    assert entry.changes == {"display_name": ["Sync", "Renamed"], "tags": ["", "prod"]}


def test_a_lease_that_is_lost_after_the_commit_is_not_a_conflict(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lapse(federation_id: str, changed: frozenset[str]) -> int:
        SyncJob.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert end_lapsed_jobs() == 1
        return 0

    monkeypatch.setattr("federations.services.run.update_index", lapse)
    job = sync(federation, server("one"))
    assert (job.status, summary_of(job)["createdMcpServers"]) == ("success", 1)
    assert McpServer.objects.count() == 1


def test_a_federation_that_is_deleted_during_an_update_is_not_found(federation: Federation) -> None:
    Federation.objects.filter(id=federation.id).delete()
    with provider(MemoryProvider()), pytest.raises(NotFoundError, match="Federation not found"):
        update_federation(
            federation, display_name="New", description=None, tags=[], provider_config={"region": "x"}, by=ME
        )


def put(federation: Federation, region: str, *, force: bool = False) -> None:
    update_federation(
        federation,
        display_name="Sync",
        description=None,
        tags=[],
        provider_config={"region": region},
        force=force,
        by=ME,
    )


def test_a_sync_that_fails_before_it_applies_leaves_the_force_for_the_next(federation: Federation) -> None:
    sync(federation, *MANY)
    with provider(MemoryProvider(error=ProviderError("down"))):
        put(Federation.objects.get(id=federation.id), "eu-west-1", force=True)
        job = start_sync(Federation.objects.get(id=federation.id), by=ME)
        with pytest.raises(ExternalServiceError):
            run_sync(job.id)
    sync(federation)
    assert McpServer.objects.count() == 0


def test_an_update_from_an_old_copy_deletes_the_observations_of_another_configuration(federation: Federation) -> None:
    old_copy = Federation.objects.get(id=federation.id)
    with provider(MemoryProvider(findings=[server("one")])):
        put(Federation.objects.get(id=federation.id), "eu-west-1")
        sync(federation, server("one"))
        put(old_copy, "us-east-1")
    assert RuntimeObservation.objects.count() == 0


def test_a_job_that_waited_while_its_federation_was_disabled_changes_nothing(federation: Federation) -> None:
    with provider(MemoryProvider(findings=[server("one")])):
        job = start_sync(federation, by=ME, queued=True)
        set_enabled(federation, False, by=ME)
        with pytest.raises(ConflictError, match="Federation in status 'disabled' cannot be synced"):
            run_sync(job.id)
    job.refresh_from_db()
    assert (job.status, McpServer.objects.count()) == ("failed", 0)


def test_a_deletion_s_job_counts_the_deleted_resources(federation: Federation) -> None:
    sync(federation, server("one"), server("two"), agent("helper"))
    summary = summary_of(delete_federation(Federation.objects.get(id=federation.id), by=ME))
    assert (summary["deletedMcpServers"], summary["deletedAgents"], summary["discoveredAgents"]) == (2, 1, 0)
