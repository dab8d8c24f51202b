"""Failures of the cloud during a sync of a full registry: over HTTP, against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from federations.models import A2aAgent, Federation, McpServer
from sandbox.client import SandboxClient
from tests.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)


def sync(api: Api, user: User, federation: Federation, **body: Any) -> Any:
    return api(user).post(f"/api/v1/federations/{federation.id}/sync", body, format="json")


def last_summary(api: Api, user: User, federation: Federation) -> Any:
    return api(user).get(f"/api/v1/federations/{federation.id}").json()["lastSync"]["summary"]


def test_a_listing_that_fails_on_its_second_page_deletes_nothing(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    for number in range(101):
        cloud.add(f"agent_{number:03}", "A2A")
    assert sync(api, owner, federation).json()["status"] == "success"
    before = list(A2aAgent.objects.order_by("id").values())
    cloud.faults({"operation": "ListAgentRuntimes", "error": "InternalServerException", "page": 2, "times": 20})
    answer = sync(api, owner, federation)
    assert answer.status_code == 502
    assert answer.json()["detail"]["error"] == "external_service_error"
    assert answer.json()["detail"]["message"].startswith("Failed to list AgentCore runtimes in us-east-1: ")
    assert list(A2aAgent.objects.order_by("id").values()) == before
    assert len(before) == 101


def test_a_forbidden_card_is_the_contract_s_partial_failure_and_the_old_card_is_kept(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("pharmacy_fraud_a2a", "A2A")
    cloud.add("other", "A2A")
    sync(api, owner, federation)
    before = A2aAgent.objects.values().get(name="pharmacy_fraud_a2a")
    cloud.patch("pharmacy_fraud_a2a", description="version two")
    cloud.patch("other", description="version two")
    cloud.faults(
        {
            "operation": "GetAgentCard",
            "error": "AccessDeniedException",
            "message": "Forbidden",
            "id": "pharmacy_fraud_a2a",
        }
    )
    answer = sync(api, owner, federation)
    assert (answer.status_code, answer.json()["status"], answer.json()["phase"]) == (200, "failed", "failed")
    summary = last_summary(api, owner, federation)
    assert summary["errors"] == 1
    assert summary["errorMessages"] == ["A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden"]
    assert summary["updatedAgents"] == 1
    assert A2aAgent.objects.values().get(name="pharmacy_fraud_a2a") == before
    assert A2aAgent.objects.get(name="other").runtime_version == "2"

    assert sync(api, owner, federation).json()["status"] == "success"
    assert A2aAgent.objects.get(name="pharmacy_fraud_a2a").runtime_version == "2"


def test_a_sync_of_an_empty_account_with_twenty_stored_agents_is_held_by_the_guard(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    for number in range(20):
        cloud.add(f"agent_{number:02}", "A2A")
    sync(api, owner, federation)
    for number in range(20):
        cloud.remove(f"agent_{number:02}")
    assert sync(api, owner, federation, dryRun=True).json()["held"] is True
    answer = sync(api, owner, federation)
    assert answer.status_code == 409
    assert "it would delete 20 of 20 stored resources" in answer.json()["detail"]["message"]
    assert A2aAgent.objects.count() == 20
    assert sync(api, owner, federation, force=True).json()["status"] == "success"
    assert A2aAgent.objects.count() == 0


def test_a_runtime_that_disappears_during_the_sync_is_one_error_and_keeps_its_stored_server(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("steady")
    cloud.add("shaky")
    sync(api, owner, federation)
    cloud.patch("shaky", description="version two")
    cloud.faults({"operation": "GetAgentRuntime", "error": "ResourceNotFoundException", "id": "shaky"})
    assert sync(api, owner, federation).json()["status"] == "failed"
    summary = last_summary(api, owner, federation)
    assert (summary["errors"], summary["discoveredMcpServers"], summary["deletedMcpServers"]) == (1, 1, 0)
    assert summary["errorMessages"][0].startswith("Runtime shaky: ")
    assert McpServer.objects.get(server_name="shaky").runtime_version == "1"


def test_a_runtime_that_turns_from_mcp_to_a2a_is_one_delete_and_one_create(
    api: Api, owner: User, federation: Federation, cloud: SandboxClient
) -> None:
    cloud.add("turncoat")
    sync(api, owner, federation)
    cloud.patch("turncoat", protocol="A2A")
    sync(api, owner, federation)
    summary = last_summary(api, owner, federation)
    assert (summary["deletedMcpServers"], summary["createdAgents"]) == (1, 1)
    assert (McpServer.objects.count(), A2aAgent.objects.count()) == (0, 1)
