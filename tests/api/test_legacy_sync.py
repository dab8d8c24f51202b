"""POST /federation/agentcore/runtime/sync, against a local AWS."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from federations.models import Federation, McpServer, SyncJob
from sandbox.client import SandboxClient
from tests.api.contract import answer, error
from tests.conftest import Api, MakeServer

pytestmark = pytest.mark.django_db(transaction=True)

LEGACY = "/api/v1/federation/agentcore/runtime/sync"
KEYS = [
    "runtime_filter_count", "discovered", "created", "updated", "deleted", "skipped", "errors", "mcp_servers",
    "a2a_agents", "skipped_runtimes", "duration_seconds",
]  # fmt: skip
ITEM_KEYS = ["action", "server_name", "server_id", "changes", "error", "agent_name", "agent_id"]
NONE = {"mcp_servers": 0, "a2a_agents": 0}


def sync(api: Api, user: User, body: Any = None) -> Any:
    return api(user, "system-ops").post(LEGACY, body, format="json")


def test_the_sync_returns_its_action_on_each_resource(api: Api, stranger: User, cloud: SandboxClient) -> None:
    runtime = cloud.add("alpha")
    cloud.add("beta", "A2A")
    http = cloud.add("gamma", "HTTP")
    status, body = answer(sync(api, stranger))
    server = McpServer.objects.get()
    assert (status, list(body)) == (200, KEYS)
    assert body["runtime_filter_count"] == 0
    assert body["discovered"] == {"mcp_servers": 1, "a2a_agents": 1, "skipped_runtimes": 1}
    assert body["created"] == {"mcp_servers": 1, "a2a_agents": 1}
    assert (body["updated"], body["deleted"], body["skipped"], body["errors"]) == (NONE, NONE, NONE, [])
    assert list(body["mcp_servers"][0]) == ITEM_KEYS
    assert body["mcp_servers"] == [
        {
            "action": "created",
            "server_name": "alpha",
            "server_id": server.id,
            "changes": ["new server"],
            "error": None,
            "agent_name": None,
            "agent_id": None,
        }
    ]
    assert (body["a2a_agents"][0]["agent_name"], body["a2a_agents"][0]["changes"]) == ("beta", ["new agent"])
    assert body["skipped_runtimes"] == [
        {"runtimeArn": http["arn"], "runtimeId": http["id"], "runtimeName": "gamma", "serverProtocol": "HTTP"}
    ]
    assert isinstance(body["duration_seconds"], float)
    assert (server.federation_id, server.runtime_id) == (None, runtime["id"])


def test_an_unchanged_resource_is_skipped_and_a_changed_one_updated(
    api: Api, stranger: User, cloud: SandboxClient
) -> None:
    cloud.add("alpha")
    sync(api, stranger)
    (unchanged,) = sync(api, stranger).json()["mcp_servers"]
    assert (unchanged["action"], unchanged["changes"]) == ("skipped", [])
    cloud.patch("alpha")
    (updated,) = sync(api, stranger).json()["mcp_servers"]
    assert (updated["action"], updated["changes"]) == ("updated", ["runtimeVersion: 1 -> 2"])


def test_a_dry_run_returns_the_planned_actions_and_writes_nothing(
    api: Api, stranger: User, cloud: SandboxClient
) -> None:
    cloud.add("alpha")
    (item,) = sync(api, stranger, {"dryRun": True}).json()["mcp_servers"]
    assert (item["action"], item["server_id"]) == ("would_create", None)
    assert not McpServer.objects.exists()
    assert not SyncJob.objects.exists()


def test_a_sync_of_one_runtime_deletes_nothing(
    api: Api, stranger: User, cloud: SandboxClient, make_server: MakeServer
) -> None:
    make_server(None, "stored")
    wanted = cloud.add("alpha")
    cloud.add("beta")
    body = sync(api, stranger, {"runtimeArn": wanted["arn"]}).json()
    assert (body["runtime_filter_count"], body["deleted"]) == (1, NONE)
    assert [item["server_name"] for item in body["mcp_servers"]] == ["alpha"]
    assert set(McpServer.objects.values_list("server_name", flat=True)) == {"stored", "alpha"}


def test_a_federations_resources_stay_unchanged(
    api: Api, stranger: User, cloud: SandboxClient, federation: Federation, make_server: MakeServer
) -> None:
    make_server(federation, "owned")
    body = sync(api, stranger).json()
    assert body["deleted"] == NONE
    assert McpServer.objects.get().federation_id == federation.id


def test_a_failed_listing_is_an_internal_error_with_its_message(api: Api, stranger: User, cloud: SandboxClient) -> None:
    cloud.faults({"operation": "ListAgentRuntimes", "status": 403, "code": "AccessDeniedException", "times": 9})
    status, body = answer(sync(api, stranger))
    assert (status, body["detail"]["error"]) == (500, "internal_error")
    assert body["detail"]["message"].startswith("AgentCore runtime sync failed: ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"dryRun": "yes"}, "dryRun: Must be a valid boolean."),
        ({"dryRun": 0}, "dryRun: Must be a valid boolean."),
        ({"dryRun": None}, "dryRun: This field may not be null."),
        ({"awsRegion": 7}, "awsRegion: Not a valid string."),
        ({"awsRegion": ""}, "awsRegion: This field may not be blank."),
        ({"awsRegion": "nowhere"}, "awsRegion is not an AWS region"),
        ({"awsRegion": "x.evil.example"}, "awsRegion is not an AWS region"),
        ({"awsRegion": "x" * 1_000_000}, "awsRegion: Ensure this field has no more than 32 characters."),
        ({"runtimeArn": ["x"]}, "runtimeArn: Not a valid string."),
        ({"runtimeArn": "x"}, "runtimeArn must be the ARN of an AgentCore runtime"),
        ({"runtimeArn": "a\x00"}, "runtimeArn: NUL characters and unpaired surrogates are not allowed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_field_is_refused_by_name(api: Api, stranger: User, body: dict[str, Any], message: str) -> None:
    assert answer(sync(api, stranger, body)) == (400, error("invalid_request", message))
    assert not SyncJob.objects.exists()


def test_the_sync_needs_its_own_scope(api: Api, owner: User) -> None:
    refused = api(owner, "federations-read federations-write").post(LEGACY, {}, format="json")
    assert answer(refused) == (403, {"detail": "Insufficient permissions"})
