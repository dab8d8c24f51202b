"""The commands of the shell: what they print, and that an error is one."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from core.actors import actor_of
from federations.management.job_progress import SHELL
from federations.models import Federation, McpServer, SyncJob
from federations.search.registry import search_index
from federations.services.federations import set_enabled
from federations.services.start import start_sync
from sandbox.client import SandboxClient

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    """Run a command and return what it printed."""
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def columns(output: str, first: str) -> list[str]:
    """Return the words of the line that begins with `first`."""
    return next(line.split() for line in output.splitlines() if line.startswith(first))


def test_sync_federation_lists_what_it_did(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("weather_forecast_mcp")
    cloud.add("code_review_a2a", "A2A")
    output = run("sync_federation", federation.id)
    assert columns(output, "create  mcp_server")[2:] == ["weather_forecast_mcp", "new", "server"]
    assert columns(output, "create  a2a_agent")[2:] == ["code_review_a2a", "new", "agent"]
    assert columns(output, "MCP servers")[2:] == ["1", "1", "0", "0", "0", "0"]
    job = SyncJob.objects.get(federation_id=federation.id)
    assert f"Job {job.id} succeeded." in output
    assert (job.status, job.trigger, job.requested_by_name) == ("success", "manual", "shell")


def test_dry_run_says_the_same_and_stores_nothing(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("weather_forecast_mcp")
    output = run("sync_federation", federation.id, "--dry-run")
    assert columns(output, "create")[1:] == ["mcp_server", "weather_forecast_mcp", "new", "server"]
    assert "Dry run: nothing was changed." in output
    assert not McpServer.objects.exists()
    assert not SyncJob.objects.exists()


def test_name_with_brackets_is_printed_as_it_is(federation: Federation, cloud: SandboxClient) -> None:
    cloud.faults({"operation": "ListAgentRuntimes", "error": "AccessDeniedException", "times": 1})
    Federation.objects.filter(id=federation.id).update(display_name="[bold]Prod[/bold]")
    with pytest.raises(CommandError, match="Failed to list AgentCore runtimes in us-east-1"):
        run("sync_federation", federation.id)
    assert "[bold]Prod[/bold]" in run("federation_jobs")


def test_resource_error_is_shown_and_ends_the_command_with_an_error(
    federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("weather_forecast_mcp")
    cloud.add("legacy_crm_mcp", behavior={"broken": True})
    output = StringIO()
    with pytest.raises(CommandError, match="failed; what was found without an error is stored"):
        call_command("sync_federation", federation.id, stdout=output)
    assert "error: MCP server legacy_crm_mcp: enrichment failed: 500" in output.getvalue()
    assert output.getvalue().count("enrichment failed") == 1
    assert McpServer.objects.filter(federation=federation).count() == 1


def test_held_plan_needs_force(federation: Federation, cloud: SandboxClient) -> None:
    names = [f"weather_forecast_{number}" for number in range(10)]
    for name in names:
        cloud.add(name, tools=1)
    run("sync_federation", federation.id)
    for name in names[:4]:
        cloud.remove(name)
    assert "held by a guard" in run("sync_federation", federation.id, "--dry-run")
    with pytest.raises(CommandError):
        run("sync_federation", federation.id)
    assert McpServer.objects.filter(federation=federation).count() == 10
    output = run("sync_federation", federation.id, "--force", "--reason", "they are gone")
    assert columns(output, "MCP servers")[2:] == ["6", "0", "0", "4", "6", "0"]
    assert SyncJob.objects.filter(reason="they are gone", force=True).count() == 1


def test_unknown_and_disabled_federations_are_errors(federation: Federation, owner: User) -> None:
    with pytest.raises(CommandError, match="There is no federation with the id nonsense"):
        run("sync_federation", "nonsense")
    set_enabled(federation, False, by=actor_of(owner))
    with pytest.raises(CommandError, match="Federation in status 'disabled' cannot be synced"):
        run("sync_federation", federation.id)


def test_federation_jobs_lists_newest_first_and_filters(federation: Federation, cloud: SandboxClient) -> None:
    assert run("federation_jobs").strip() == "No jobs."
    cloud.add("weather_forecast_mcp")
    run("sync_federation", federation.id)
    run("sync_federation", federation.id)
    ids = list(SyncJob.objects.values_list("id", flat=True))
    lines = run("federation_jobs").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ids
    assert lines[1].split()[-4:] == ["+0", "~0", "-0", "=1"]
    assert len(run("federation_jobs", "--limit", "1").splitlines()) == 2
    assert run("federation_jobs", "--federation", "0" * 24).strip() == "No jobs."
    assert len(run("federation_jobs", "--federation", federation.id).splitlines()) == 3
    assert len(run("federation_jobs", federation.id).splitlines()) == 3
    assert run("federation_jobs", "0" * 24).strip() == "No jobs."


def test_long_error_takes_one_line_of_the_jobs(federation: Federation) -> None:
    job = start_sync(federation, by=SHELL)
    SyncJob.objects.filter(id=job.id).update(status="failed", error="Access\ndenied " + "to somebody " * 50)
    (line,) = run("federation_jobs").splitlines()[1:]
    assert "Access denied to somebody" in line
    assert line.endswith("…")


def test_rebuild_search_brings_back_what_the_index_lost(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("weather_forecast_mcp")
    run("sync_federation", federation.id)
    search_index().clear()
    assert search_index().stamps(federation.id) == {}
    output = run("rebuild_search")
    assert "1 federation and the rest" in output
    assert "The index holds 1 resource." in output
    assert len(search_index().stamps(federation.id)) == 1
