"""`manage.py sandbox` against a running sandbox, and its error messages."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.sandbox_server import RunningSandbox


def manage(sandbox: RunningSandbox, *arguments: str) -> str:
    out = StringIO()
    call_command("sandbox", *arguments, "--url", sandbox.url, stdout=out)
    return out.getvalue()


def test_list_shows_every_runtime_on_a_line(sandbox: RunningSandbox) -> None:
    lines = manage(sandbox, "list").splitlines()
    assert len(lines) == 13
    assert lines[0].split() == ["NAME", "PROTOCOL", "VERSION", "AUTH", "ITEMS", "TAGS"]
    assert lines[1].split() == [
        "pharmacy_fraud_mcp",
        "MCP",
        "1",
        "iam",
        "5",
        "env=production",
        "team=platform",
        "shared=partner",
    ]
    assert "(slowSeconds: 2.0)" in next(line for line in lines if line.startswith("contract_analysis_a2a"))


def test_a_person_can_add_update_and_remove(sandbox: RunningSandbox) -> None:
    assert manage(sandbox, "add", "played_with", "--protocol", "A2A", "--tag", "env=test").startswith("added ")
    assert "version 1 -> 2" in manage(sandbox, "update", "played_with", "--description", "played with")
    assert "version 2 -> 2" in manage(sandbox, "update", "played_with", "--broken", "yes")
    runtime = sandbox.admin.get("played_with")
    assert (runtime["description"], runtime["tags"]) == ("played with", {"env": "test"})
    assert runtime["behavior"] == {"broken": True}
    assert manage(sandbox, "remove", "played_with").startswith("removed played_with")
    assert sandbox.admin.health()["runtimes"] == 12


def test_a_person_can_add_a_kind(sandbox: RunningSandbox) -> None:
    assert manage(sandbox, "add", "unborn", "--kind", "create_failed").startswith("added ")
    assert sandbox.admin.get("unborn")["status"] == "CREATE_FAILED"
    assert "(status: CREATE_FAILED)" in manage(sandbox, "list")
    assert manage(sandbox, "add", "new_agent", "--kind", "two_oauth_flows", "--tools", "2").startswith("added ")
    assert len(sandbox.admin.get("new_agent")["skills"]) == 2  # type: ignore[arg-type]


def test_update_without_options_is_a_new_version(sandbox: RunningSandbox) -> None:
    sandbox.admin.add("bumped")
    assert "version 1 -> 2" in manage(sandbox, "update", "bumped")


def test_calls_are_shown_by_operation(sandbox: RunningSandbox) -> None:
    assert manage(sandbox, "calls").strip() == "no calls yet"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("update",), "needs the name"),
        (("remove", "nobody"), "runtime nobody does not exist"),
        (("add", "tagged", "--tag", "env"), "KEY=VALUE"),
        (("add", "odd", "--kind", "unheard_of"), "--kind must be one of both_eras"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(sandbox: RunningSandbox, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        manage(sandbox, *arguments)


def test_a_taken_port_is_named(sandbox: RunningSandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    command = [sys.executable, "-m", "sandbox", "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert f"port {port} is taken" in ended.stderr


def test_without_its_packages_the_sandbox_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.command_line.find_spec", lambda name: None)
    with pytest.raises(CommandError, match="run make install"):
        call_command("sandbox")
