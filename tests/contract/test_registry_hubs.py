"""Two hubs on loopback: one reads the MCP servers of the other over HTTP, by the API of the MCP registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.contract.peer_hubs import Hub, template

pytestmark = [pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]

# The cloud of the upstream hub is the memory twin of the provider; everything behind it is real.
SYNC = """
from core.actors import SCHEDULE
from federations.models import Federation
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
found = Federation.objects.filter(display_name="Cloud").first() or Federation.objects.create(
    display_name="Cloud", provider_config={"region": "us-east-1"})
with provider(MemoryProvider(findings=[SERVERS])):
    out = run_sync(start_sync(found, by=SCHEDULE).id).status
"""
TOKEN = """
from django.contrib.auth.models import User
from core.tokens.services import issue_token
User.objects.filter(username="root").exists() or User.objects.create_superuser("root")
out = issue_token("root", scopes=["federations-read", "federations-write"], days=1)
"""
SHOW = """
from core.actors import Actor
from federations.models import McpServer
from federations.services.server_visibility import set_public
rows = McpServer.objects.filter(server_name__in=NAMES)
out = set_public([row.pk for row in rows], IS_PUBLIC, by=Actor("1", "root"))
"""


class Running(NamedTuple):
    """The hub that is read, the hub that reads, and a client of each with the token of its superuser."""

    upstream: Hub
    reader: Hub
    there: httpx.Client
    here: httpx.Client


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = template(tmp_path_factory.mktemp("template"))
    # Short limits, so that the first read of the public servers meets them.
    public = {"FEDHUB_PUBLIC_REGISTRY": "true", "FEDHUB_REGISTRY_REQUESTS_PER_MINUTE": "20"}
    upstream = Hub("upstream", tmp_path_factory.mktemp("upstream"), public)
    reader = Hub("reader", tmp_path_factory.mktemp("reader"))
    hubs = (upstream, reader)
    try:
        for hub in hubs:
            hub.create(database)
            hub.start("web")
        with client_of(upstream) as there, client_of(reader) as here:
            yield Running(upstream, reader, there, here)
    finally:
        for hub in hubs:
            hub.kill()


def client_of(hub: Hub) -> httpx.Client:
    return httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {hub.do(TOKEN)}"}, timeout=120)


def sync_cloud(hub: Hub, *servers: str) -> None:
    assert hub.do(SYNC.replace("SERVERS", ", ".join(servers))) == "success"


def show(hub: Hub, names: list[str], *, is_public: bool) -> int:
    return int(hub.do(SHOW.replace("NAMES", repr(names)).replace("IS_PUBLIC", repr(is_public))))


def add_federation(client: httpx.Client, name: str, url: str, token: str | None) -> str:
    body = {
        "providerType": "mcp_registry", "displayName": name, "providerSecret": token, "providerConfig": {"url": url},
    }  # fmt: skip
    answer = client.post("/api/v1/federations", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def sync(client: httpx.Client, federation: str) -> dict[str, int]:
    """Sync a federation over HTTP; return how many servers were created, updated, deleted and left as they were."""
    answer = client.post(f"/api/v1/federations/{federation}/sync", json={})
    assert answer.status_code == 200, answer.text
    summary = client.get(f"/api/v1/federations/{federation}").json()["lastSync"]["summary"]
    assert summary["errorMessages"] == []
    return {word: summary[f"{word}McpServers"] for word in ("created", "updated", "deleted", "unchanged")}


def registry_of(client: httpx.Client) -> dict[str, Any]:
    """Return what a hub says of each server by `/v0.1`: version, digest and tools, by name."""
    told = {}
    for each in client.get("/v0.1/servers", params={"limit": 100}).json()["servers"]:
        name = each["server"]["name"]
        whole = client.get(f"/v0.1/servers/{name}/versions/latest").json()
        facts = whole["_meta"]["io.fedhub.registry/server"]
        assert facts["digest"] == each["_meta"]["io.fedhub.registry/server"]["digest"]
        told[name] = (each["server"]["version"], facts["digest"], facts["content"]["tools"], facts["numTools"])
    return told


def tools_of(client: httpx.Client, federation: str) -> dict[str, list[str]]:
    """Return the names of the tools of each server that a hub stores for a federation, by the server's name."""
    listed = client.get("/api/v1/servers", params={"federationId": federation, "per_page": 100}).json()["servers"]
    return {
        each["serverName"]: [tool["name"] for tool in client.get(f"/api/v1/servers/{each['id']}").json()["tools"]]
        for each in listed
    }


def test_a_hub_ends_with_the_servers_tools_and_digests_of_another_one(running: Running) -> None:
    upstream, _, there, here = running
    sync_cloud(upstream, 'server("one", tools=("a", "b"))', 'server("two")', 'server("three")')
    federation = add_federation(here, "Other hub", upstream.url, upstream.do(TOKEN))
    assert sync(here, federation) == {"created": 3, "updated": 0, "deleted": 0, "unchanged": 0}
    told = registry_of(there)
    assert registry_of(here) == told and len(told) == 3
    one = next(name for name in told if name.endswith("/one"))
    assert tools_of(here, federation)[one] == ["a", "b"]
    assert sync(here, federation) == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 3}

    sync_cloud(upstream, 'server("one", version="2", tools=("a", "c"))', 'server("three")', 'server("four")')
    assert sync(here, federation) == {"created": 1, "updated": 1, "deleted": 1, "unchanged": 1}
    changed = registry_of(there)
    assert registry_of(here) == changed and changed != told
    assert tools_of(here, federation)[one] == ["a", "c"]
    assert not any(name.endswith("/two") for name in changed)
    # What the reader finds leads back to the search: the new tool is found there, the old one is not.
    hits = here.get("/api/v1/search", params={"query": "c", "kind": "tool"}).json()["results"]
    assert [hit["name"] for hit in hits] == ["c"]
    gone = there.get("/v0.1/servers", params={"include_deleted": "true"}).json()["servers"]
    assert [
        each["server"]["name"].rpartition("/")[2]
        for each in gone
        if each["_meta"]["io.modelcontextprotocol.registry/official"]["status"] == "deleted"
    ] == ["two"]
    # The upstream hub cannot be reached: the sync fails, and nothing is lost.
    upstream.kill("web")
    assert here.post(f"/api/v1/federations/{federation}/sync", json={}).status_code == 502
    assert registry_of(here) == changed
    upstream.start("web")
    assert here.delete(f"/api/v1/federations/{federation}").status_code == 200


def test_a_hub_without_a_token_reads_what_is_public_and_waits_where_it_is_told_to(running: Running) -> None:
    upstream, _, _, here = running
    names = [f"open{number:02}" for number in range(24)]
    sync_cloud(upstream, *(f'server("{name}")' for name in (*names, "closed")))
    assert show(upstream, names, is_public=True) == 24
    federation = add_federation(here, "Public servers", upstream.url, None)
    # A page and 24 servers are more than 20 requests, so the hub waits for the last ones.
    assert sync(here, federation)["created"] == 24
    assert httpx.get(f"{upstream.url}/v0.1/servers").status_code in (200, 429)
    stored = tools_of(here, federation)
    assert sorted(name.rpartition("/")[2] for name in stored) == names
    # A server that staff hide is gone for this reader.
    assert show(upstream, names[:2], is_public=False) == 2
    assert sync(here, federation) == {"created": 0, "updated": 0, "deleted": 2, "unchanged": 22}
