"""The commands `federation_plan` and `apply_plan`: what they print, their exit codes and refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from core.actors import actor_of
from federations.management.plan_output import changed_members, visible
from federations.models import Federation, McpServer, StoredPlan, SyncJob
from federations.services.federations import set_enabled
from federations.services.stored_plans.end import dismiss_plan
from federations.sync.resources import Finding
from sandbox.client import SandboxClient
from tests.api.stored_plans import AFTER, BEFORE, MANY, make, sync
from tests.findings import failure, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.stores.databases import variables_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)


def plan(federation: Federation, *findings: Finding, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run federation_plan; return its exit code and its output."""
    output, code = StringIO(), 0
    with provider(MemoryProvider(findings=findings)):
        try:
            call_command("federation_plan", federation.id, *options, stdout=output)
        except SystemExit as exc:
            code = int(str(exc.code))
    return code, output.getvalue()


def apply(plan_id: str, *findings: Finding, options: tuple[str, ...] = ()) -> str:
    output = StringIO()
    with provider(MemoryProvider(findings=findings)):
        call_command("apply_plan", plan_id, *options, stdout=output)
    return output.getvalue()


def test_a_plan_is_printed_with_deletions_first(owner: User, federation: Federation) -> None:
    sync(federation, owner, *BEFORE)
    code, output = plan(federation, *AFTER, options=("--reason", "to see"))
    stored = StoredPlan.objects.get()
    assert (code, stored.created_by_name, stored.reason) == (2, "shell", "to see")
    lines = output.splitlines()
    assert lines[:3] == [
        f"Plan of {federation.display_name}",
        "By action: 1 delete, 1 error, 2 update, 1 create",
        "By class:  1 breaking, 3 compatible",
    ]
    changes = [line for line in lines if line[:2] in ("- ", "! ", "~ ", "+ ")]
    assert changes == [
        "- delete MCP server gone [breaking]: no longer discovered",
        "! error MCP server broken: enrichment failed: 500",
        "~ update MCP server changed [compatible]: runtimeVersion: 1 -> 2",
        "~ update A2A agent helper [compatible]: runtimeVersion: 1 -> 2",
        "+ create MCP server new [compatible]: new server",
    ]
    assert "    - tool look_up" in lines
    assert any(line.startswith("    + tool book [compatible] ") for line in lines)
    assert "error: MCP server broken: enrichment failed: 500" in lines
    assert f"Digest {stored.digest}" in lines
    assert lines[-1] == f"Apply exactly this plan: manage.py apply_plan {stored.id} --digest {stored.digest}"


def test_the_changed_members_of_a_schema_are_printed(owner: User, federation: Federation) -> None:
    def with_schema(version: str, schema: Any) -> Finding:
        found = server("forecast", version=version)
        found.catalog.tools[0]["inputSchema"] = schema
        return found

    city = {"type": "string", "description": "The city"}
    sync(federation, owner, with_schema("1", {"type": "object", "properties": {"city": city}}))
    newer = {"type": "object", "properties": {"city": {**city, "maxLength": 5}}, "required": ["city"]}
    _, output = plan(federation, with_schema("2", newer))
    assert "    ~ tool look_up [breaking] " in output
    assert "        inputSchema.properties.city.maxLength: (none) -> 5\n" in output
    assert '        inputSchema.required: (none) -> ["city"]\n' in output
    assert "The city" not in output


def test_the_exit_code_tells_whether_something_would_change(owner: User, federation: Federation) -> None:
    sync(federation, owner, server("one"))
    code, output = plan(federation, server("one"))
    assert code == 0
    assert "By action: nothing would change" in output
    assert plan(federation, server("one", version="2"))[0] == 2
    assert plan(federation, server("one"), failure("broken", version="2"), server("two"))[0] == 2
    with pytest.raises(CommandError, match="some runtimes could not be read"):
        plan(federation, server("one"), failure("broken"))
    with pytest.raises(CommandError, match="There is no federation with the id nonsense"):
        call_command("federation_plan", "nonsense")
    set_enabled(federation, False, by=actor_of(owner))
    with pytest.raises(CommandError, match="Federation in status 'disabled' cannot be synced"):
        plan(federation, server("one"))


def test_a_plan_is_printed_as_json(owner: User, federation: Federation) -> None:
    sync(federation, owner, *BEFORE)
    code, output = plan(federation, *AFTER, options=("--json",))
    body = json.loads(output)
    stored = StoredPlan.objects.get()
    assert (code, list(body), body["plan"]["id"], body["plan"]["digest"]) == (
        2, ["plan", "changes"], stored.id, stored.digest,
    )  # fmt: skip
    assert [change["action"] for change in body["changes"]] == ["delete", "error", "update", "update", "create"]


def test_a_terminal_obeys_no_character_of_a_runtime(owner: User, federation: Federation) -> None:
    sync(federation, owner, server("one"))
    tool = "look\x1b[31m_up\u202e[bold]"
    for findings in (
        [server("one", version="2", tools=("look_up", tool))],
        [server("one"), server("two", tools=(tool,))],
    ):
        _, output = plan(federation, *findings)
        assert "    + tool look<U+001B>[31m_up<U+202E>[bold] [risky] invisible_characters" in output
        assert "\x1b" not in output
    assert visible("Wetter in Zürich 天気") == "Wetter in Zürich 天気"


def test_members_are_compared_to_the_innermost_difference() -> None:
    before = {"a": {"b": 1, "c": None, "e": 1}, "d": [1]}
    after = {"a": {"b": 2, "c": None, "f": 1}, "d": [1, 2]}
    assert list(changed_members("x", before, after)) == [
        ("x.a.b", 1, 2), ("x.a.e", 1, None), ("x.a.f", None, 1), ("x.d", [1], [1, 2]),
    ]  # fmt: skip
    assert list(changed_members("x", 1, True)) == [("x", 1, True)]
    deep: Any = 1
    for _ in range(400):
        deep = {"n": deep}
    assert len(list(changed_members("x", deep, {"n": deep}))) == 1


# Apply --------------------------------------------------------------------------------------------------------------
def test_a_plan_is_applied_and_its_outcome_printed(owner: User, federation: Federation) -> None:
    sync(federation, owner, *BEFORE[:4])
    plan(federation, *AFTER[:4])
    stored = StoredPlan.objects.get()
    output = apply(stored.id, *AFTER[:4], options=("--digest", stored.digest, "--reason", "agreed"))
    job = SyncJob.objects.get(plan_id=stored.id)
    assert f"Job {job.id} succeeded." in output
    assert [line.split()[:3] for line in output.splitlines() if line.startswith("delete")] == [
        ["delete", "mcp_server", "gone"]
    ]
    assert (job.status, job.trigger, job.reason, job.requested_by_name) == ("success", "manual", "agreed", "shell")
    with pytest.raises(CommandError, match="Plan in status 'applied' cannot be applied"):
        apply(stored.id, *AFTER[:4])


def test_a_refused_apply_is_an_error(owner: User, federation: Federation) -> None:
    stored = make(federation, owner, *BEFORE[:4])
    with pytest.raises(CommandError, match="There is no plan with the id nonsense"):
        apply("nonsense")
    with pytest.raises(CommandError, match="digest is not the digest of this plan"):
        apply(stored.id, *BEFORE[:4], options=("--digest", "0" * 64))
    with pytest.raises(CommandError, match="The plan is stale: runtime new-0123456789 changed since it was made"):
        apply(stored.id, *BEFORE[:4], server("new"))
    dismissed = dismiss_plan(make(federation, owner, *BEFORE[:4]), by=actor_of(owner))
    with pytest.raises(CommandError, match="Plan in status 'dismissed' cannot be applied"):
        apply(dismissed.id, *BEFORE[:4])
    expired = make(federation, owner, *BEFORE[:4])
    StoredPlan.objects.filter(id=expired.id).update(expires_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(CommandError, match="Plan in status 'expired' cannot be applied"):
        apply(expired.id, *BEFORE[:4])
    assert not McpServer.objects.exists()


def test_a_job_with_an_error_is_an_error_of_the_command(owner: User, federation: Federation) -> None:
    stored = make(federation, owner, *AFTER)
    with pytest.raises(CommandError, match="failed; what was found without an error is stored"):
        apply(stored.id, *AFTER)
    assert McpServer.objects.count() == 3


def test_a_held_plan_says_how_to_apply_it(owner: User, federation: Federation, settings: Settings) -> None:
    sync(federation, owner, *MANY)
    code, output = plan(federation, *MANY[:5])
    stored = StoredPlan.objects.get()
    assert code == 2
    assert "This plan is held: Sync held: it would delete 5 of 10" in output
    assert output.rstrip().endswith(f'--digest {stored.digest} --reason "…"')
    with pytest.raises(CommandError, match="reason is required to apply a held plan"):
        apply(stored.id, *MANY[:5])
    settings.FEDHUB_PLAN_SECOND_PERSON = True
    with pytest.raises(CommandError, match="must be applied by a person: use the admin or the API"):
        apply(stored.id, *MANY[:5], options=("--reason", "gone"))
    settings.FEDHUB_PLAN_SECOND_PERSON = False
    assert "succeeded." in apply(stored.id, *MANY[:5], options=("--reason", "gone"))


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        **{f"TEST_{name}": value for name, value in variables_of_test_database().items()},
        "FEDHUB_VAR_DIR": str(django_settings.VAR_DIR),
    }
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=django_settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_process_ends_with_the_exit_code(federation: Federation, cloud: SandboxClient) -> None:
    cloud.add("alpha")
    changed = manage("federation_plan", federation.id)
    assert (changed.returncode, changed.stderr) == (2, "")
    assert "+ create MCP server alpha [compatible]: new server" in changed.stdout
    applied = manage("apply_plan", StoredPlan.objects.get().id)
    assert (applied.returncode, McpServer.objects.get().server_name) == (0, "alpha")
    assert manage("federation_plan", federation.id, "--json").returncode == 0
    wrong = manage("federation_plan", federation.id, "--jsno")
    assert wrong.returncode == 1
    assert "unrecognized arguments: --jsno" in wrong.stderr
    missing = manage("apply_plan", "0" * 24)
    assert (missing.returncode, missing.stderr.strip()) == (
        1,
        f"CommandError: There is no plan with the id {'0' * 24}.",
    )
