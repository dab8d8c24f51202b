"""The API over a real socket, with the behavior that Django's test client hides."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from core.tokens.services import issue_token
from federations.models import SyncJob
from sandbox.client import SandboxClient
from tests.api.contract import CREATE, UPDATE
from tests.conftest import CONFIG

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hub(live_server: Any, owner: User) -> Any:
    token = issue_token("owner", scopes=["federations-read", "federations-write"], days=1)
    with httpx.Client(base_url=live_server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


def test_a_federation_is_created_synced_changed_and_deleted_over_http(hub: httpx.Client, cloud: SandboxClient) -> None:
    cloud.add("alpha", tools=[{"name": "lookup", "description": "Look it up", "inputSchema": {"type": "object"}}])
    created = hub.post("/api/v1/federations", json={**CREATE, "providerConfig": CONFIG})
    assert created.status_code == 201
    path = f"/api/v1/federations/{created.json()['id']}"
    assert hub.post(f"{path}/sync", json={"dryRun": True}).json()["summary"]["createdMcpServers"] == 1
    assert hub.post(f"{path}/sync", content=b"").json()["status"] == "success"
    assert hub.get("/api/v1/federations").json()["pagination"]["total"] == 1
    assert hub.get("/api/v1/search", params={"query": "look", "kind": "tool"}).json()["results"][0]["name"] == "lookup"
    cloud.patch("alpha")
    assert hub.put(path, json={**UPDATE, "providerConfig": CONFIG}).status_code == 200
    assert hub.post(f"{path}/sync").json()["status"] == "success"
    assert hub.get(path).json()["lastSync"]["summary"]["updatedMcpServers"] == 1
    cloud.remove("alpha")
    assert hub.post(f"{path}/sync").json()["status"] == "success"
    assert hub.get(path).json()["lastSync"]["summary"]["deletedMcpServers"] == 1
    assert hub.delete(path).json()["status"] == "deleted"
    assert hub.get(path).status_code == 404


def test_a_chunked_dry_run_is_refused_and_starts_no_sync(hub: httpx.Client) -> None:
    created = hub.post("/api/v1/federations", json=CREATE).json()
    chunks = iter([b'{"dryRun":', b" true}"])
    headers = {"Content-Type": "application/json"}
    refused = hub.post(f"/api/v1/federations/{created['id']}/sync", content=chunks, headers=headers)
    assert refused.status_code == 411
    assert not SyncJob.objects.exists()


def test_a_head_request_has_no_body_and_no_redirect(hub: httpx.Client) -> None:
    answer = hub.head("/api/v1/federations/")
    assert (answer.status_code, answer.content, answer.history) == (200, b"", [])
