"""The provider of MCP registries: it reads another hub whole, and servers by themselves."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from core.actors import Actor
from core.net.client import Answer, send
from core.tokens.services import issue_token
from federations.models import AccessLevel, Federation, McpServer, SyncJob
from federations.providers import registry
from federations.providers.base import DiscoveryRequest, InvalidProviderConfigError
from federations.providers.mcp_registry import listing
from federations.providers.mcp_registry.listing import Limits
from federations.providers.mcp_registry.provider import McpRegistryProvider
from federations.services.access import grant
from federations.services.federations import create_federation, update_federation
from federations.services.provider_secrets import readable
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.resources import EnrichedMcpServer, FailedRuntime, runtime_of
from tests.findings import server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.registry_server import entry, small_registry

# Not the id of the reader, who would own what this actor makes.
ME = Actor("999", "tests")
LOOPBACK = [ip_network("127.0.0.0/8")]
LIMITS = Limits(answer_bytes=20_000, pages=3)
PROVIDER = McpRegistryProvider(LOOPBACK, "example.here", 4, LIMITS)


def sync(found: Federation) -> SyncJob:
    return run_sync(start_sync(Federation.objects.get(pk=found.pk), by=ME).id)


def sync_cloud(found: Federation, *findings: Any) -> None:
    with provider(MemoryProvider(findings=findings)):
        assert sync(found).status == "success"


def stored(found: Federation) -> dict[str, Any]:
    """Return what is stored of each server of a federation, by the end of its name."""
    rows = McpServer.objects.filter(federation=found)
    return {
        row.server_name.rpartition("/")[2]: (row.content_digest, row.tools, row.runtime_access, row.runtime_version)
        for row in rows
    }


@pytest.mark.django_db(transaction=True)
def test_a_hub_reads_another_hub_whole_and_changes_and_deletions_travel(
    live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = LOOPBACK
    monkeypatch.setattr(registry, "namespace_of", lambda url: "example.other")
    upstream = Federation.objects.create(display_name="Cloud", provider_config={"region": "us-east-1"})
    sync_cloud(upstream, server("one", tools=("a", "b")), server("two"), server("three"))
    grant(upstream, level=AccessLevel.VIEW, user=User.objects.create_user("reader"))
    token = issue_token("reader", scopes=["federations-read"], days=1)
    config: dict[str, Any] = {"url": live_server.url}
    names: dict[str, Any] = {"display_name": "Other hub", "description": None, "tags": []}
    other = create_federation(
        provider_type="mcp_registry", provider_config=config, provider_secret=token, by=ME, **names
    )

    job = sync(other)
    assert (job.status, job.error) == ("success", "")
    assert stored(other) == stored(upstream)
    assert {row.path.rpartition("/")[0] for row in McpServer.objects.filter(federation=other)} == {"/registry/mcp"}
    sent: list[str] = []

    def count(method: str, url: str, **kwargs: Any) -> Answer:
        sent.append(url)
        return send(method, url, **kwargs)

    monkeypatch.setattr(listing, "send", count)
    assert (sync(other).summary or {})["unchangedMcpServers"] == 3
    # One page: asked without the allowed networks, which the client refuses for a local name, and then with them.
    assert len(sent) == 2

    sync_cloud(upstream, server("one", version="2", tools=("a", "c")), server("three"), server("four"))
    counted = sync(other).summary or {}
    assert [counted[f"{word}McpServers"] for word in ("created", "updated", "deleted", "unchanged")] == [1, 1, 1, 1]
    assert stored(other) == stored(upstream)

    # Another server must not get the token; a change of the names keeps it.
    other = update_federation(other, provider_config={**config, "names": ["*/one"]}, by=ME, **names)
    assert readable(other.provider_secret) == token and token not in str(other.provider_secret)
    assert (sync(other).summary or {})["deletedMcpServers"] == 2
    other = update_federation(other, provider_config={"url": "https://elsewhere.example"}, by=ME, **names)
    assert other.provider_secret == ""


def page(*entries: Any, following: str = "") -> dict[str, Any]:
    return {"servers": list(entries), "metadata": {"nextCursor": following} if following else {}}


def test_a_server_is_read_itself_and_an_address_that_fails_loses_nothing() -> None:
    with small_registry() as found:
        found.tools = [{"name": "sum", "inputSchema": {"type": "object"}}, {"no": "name"}]
        found.pages = [
            page(
                entry("a.b/mcp", url=f"{found.url}/mcp"),
                entry("a.b/old", status="deprecated"),
                entry("a.b/gone", status="deleted"),
                entry("a.b/mcp", "0.9.0", isLatest=False, updatedAt="2026-03-27T07:20:00Z"),
                entry("example.here/own"),
                entry("no name"),
                entry("a.b/none", version=""),
                "no entry",
                following="1",
            ),
            page(entry("a.b/away", "v" * 200, url="http://127.0.0.1:9/mcp")),
        ]
        found_all = PROVIDER.discover(DiscoveryRequest({"url": found.url}))
        active = PROVIDER.discover(DiscoveryRequest({"url": found.url, "status": "active", "names": ["a.b/*o*"]}))
    by_name = {runtime_of(each).name: each for each in found_all.findings}
    assert sorted(by_name) == ["a.b/away", "a.b/mcp", "a.b/none", "a.b/old"]
    assert [one.runtime_id for one in active.listing] == ["a.b/none"]
    read, away = by_name["a.b/mcp"], by_name["a.b/away"]
    assert isinstance(read, EnrichedMcpServer) and isinstance(away, EnrichedMcpServer)
    assert [tool["name"] for tool in read.catalog.tools] == ["sum"] and read.runtime.version == "1.0.0"
    assert read.access.to_dict() == {"mode": "none"} and read.catalog.warnings[0].kind == "tool"
    assert away.catalog.lost_listings and len(away.runtime.version) == 32
    assert isinstance(by_name["a.b/none"], FailedRuntime)
    # The second page made the list one that a change may tear, so the registry was asked again for changes.
    assert any("updated_since=" in each for each in found.requests)


def test_the_word_of_a_hub_must_have_the_digest_that_it_names() -> None:
    listed = entry("a.b/c")
    facts = {"digest": "0" * 64, "content": {"tools": [], "runtimeAccess": {"mode": "iam"}}}
    listed["_meta"]["io.fedhub.registry/server"] = facts
    with small_registry(page(listed)) as found:
        found.whole = listed
        (finding,) = PROVIDER.discover(DiscoveryRequest({"url": found.url})).findings
    assert isinstance(finding, FailedRuntime) and "does not have the digest" in finding.error


@pytest.mark.parametrize(
    "config",
    [
        {"url": "ftp://a.example"},
        {"url": "https://user@a.example"},
        {"url": "http://a.example"},
        {"url": "https://a.example?x=1"},
        {"url": 7},
        {"names": "a"},
        {"names": [""]},
        {"names": ["x"] * 101},
        {"status": "deleted"},
        {"runtimeAccess": None},
    ],
    ids=str,
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidProviderConfigError, match="providerConfig"):
        McpRegistryProvider().normalize_config(config)
    with pytest.raises(InvalidProviderConfigError, match=r"providerConfig\.url"):
        McpRegistryProvider().check_complete({})
