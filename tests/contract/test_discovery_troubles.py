"""Troubles of real runtimes, over HTTP through the whole hub: sync, then the registry, the inventory and the search."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from core.strict_json import JsonObject
from federations.models import Federation
from sandbox.client import SandboxClient
from sandbox.runtime_kinds import FAILURE_REASON, runtime_kinds
from tests.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

RUNTIMES = 300
FAULTY = 15
# Each repeats the one before; ten take a minute more.
SYNCS = int(os.environ.get("FEDHUB_TEST_SYNCS", "3"))
BUSY: JsonObject = {"status": 503, "body": "The service is busy."}


@pytest.fixture
def call(api: Api, owner: User, federation: Federation) -> Callable[..., Any]:
    """Return a function that gets a path of the API, or syncs the federation for the path `sync`."""

    def get(path: str, **query: Any) -> Any:
        if path == "sync":
            job = api(owner).post(f"/api/v1/federations/{federation.id}/sync", query, format="json").json()
            return api(owner).get(f"/api/v1/federations/{federation.id}/jobs/{job['id']}").json()
        return api(owner).get(f"/api/v1/{path}", query).json()

    return get


def servers(call: Callable[..., Any]) -> dict[str, Any]:
    return {item["serverName"]: item for item in call("servers", per_page=100)["servers"]}


def test_each_kind_of_runtime_ends_as_it_should_in_one_sync(call: Callable[..., Any], cloud: SandboxClient) -> None:
    kinds = {
        name: kind for name, kind in runtime_kinds("").items() if name not in ("private_endpoint", "limited_tokens")
    }
    agents = {name for name, kind in kinds.items() if kind.protocol == "A2A"}
    for name, kind in kinds.items():
        cloud.add(name, kind.protocol, **kind.fields)
    job = call("sync")
    assert (job["status"], job["error"]) == ("success", None)
    assert set(servers(call)) == set(kinds) - agents - {"create_failed", "http", "agui"}
    warned = {(warning["kind"], warning["name"]) for warning in job["warnings"]}
    assert warned == {
        ("tool", "number 2"),
        ("listing", "resources/list"),
        ("listing", "prompts/list"),
        ("runtime", "create_failed"),
        ("card", "no_version_header"),
    }
    tools = call(f"servers/{servers(call)['bad_tool']['id']}")["tools"]
    assert [tool["name"] for tool in tools] == ["lookup", "imperfect_lookup"]
    inventory = {row["name"]: row for row in call("runtimes", per_page=100)["runtimes"]}
    assert set(inventory) == set(kinds)
    assert inventory["create_failed"]["failureReason"] == FAILURE_REASON
    assert {name for name, row in inventory.items() if row["resourceKind"] is None} == {
        "create_failed",
        "http",
        "agui",
    }
    assert {agent["name"] for agent in call("agents", per_page=100)["agents"]} == agents
    # Only what is incomplete is asked again.
    cloud.reset()
    again = call("sync")
    assert again["status"] == "success"
    asked = {name for name in kinds if cloud.runtime_counts(name)}
    assert asked == {"failing_lists"}


def test_the_stored_revision_spares_the_probe(call: Callable[..., Any], cloud: SandboxClient) -> None:
    kinds = runtime_kinds("")
    for name in ("modern", "legacy"):
        cloud.add(name, "MCP", **kinds[name].fields)
    call("sync")
    assert {name: item["protocolVersion"] for name, item in servers(call).items()} == {
        "modern": "2026-07-28",
        "legacy": "2025-11-25",
    }
    for name in ("modern", "legacy"):
        cloud.patch(name, description="changed")
    cloud.reset()
    assert call("sync")["summary"]["updatedMcpServers"] == 2
    assert "initialize" not in cloud.runtime_counts("modern")
    assert "server/discover" not in cloud.runtime_counts("legacy")
    assert cloud.runtime_counts("legacy")["initialize"] == 1


def test_a_plan_is_applied_with_one_listing_and_no_call_of_a_runtime(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    for number in range(3):
        cloud.add(f"server_{number}")
    cloud.add("agent", "A2A")
    path = f"/api/v1/federations/{federation.id}/plans"
    plan = api(owner).post(path, {}, format="json").json()
    cloud.reset()
    job = api(owner).post(f"{path}/{plan['id']}/apply", {"digest": plan["digest"]}, format="json").json()
    assert job["status"] == "success"
    assert cloud.control_counts() == {"AssumeRole": 1, "ListAgentRuntimes": 1}
    assert not any(cloud.runtime_counts(f"server_{number}") for number in range(3))


@pytest.mark.timeout(300)
def test_of_300_runtimes_with_passing_faults_syncs_in_a_row_miss_nothing(
    call: Callable[..., Any], cloud: SandboxClient
) -> None:
    names = [f"runtime_{number:03}" for number in range(RUNTIMES)]
    faulty = names[:: RUNTIMES // FAULTY]
    for number, name in enumerate(names):
        passing: JsonObject = {"passing": {"reply": BUSY, "each": "call"}} if name in faulty else {}
        cloud.add(name, "A2A" if number % 2 else "MCP", behavior=passing)
    for turn in range(SYNCS):
        for name in faulty:
            cloud.patch(name, description=f"version {turn}")
        job = call("sync")
        assert (job["status"], job["error"], job["warnings"]) == ("success", None, [])
        stored = call("servers")["pagination"]["total"] + call("agents")["pagination"]["total"]
        assert stored == RUNTIMES
        assert job["summary"]["errors"] == 0
