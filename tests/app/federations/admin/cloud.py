"""A cloud account in memory, with realistic servers and agents for the admin pages."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import pytest
from django.conf import LazySettings

from core.actors import Actor
from federations.admin import forms
from federations.models import Federation, SyncJob
from federations.providers.agentcore.config import check_complete, normalize_config
from federations.providers.base import ProviderNotImplementedError
from federations.services import discover
from federations.services.federations import create_federation
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.sync.resources import (
    AgentCard,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    JsonObject,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
)
from tests.memory_provider import MemoryProvider

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fedhub-discovery"
STAFF = Actor(id="900", name="staff")
JWT = RuntimeAccess("jwt", "https://hub.example.com/.well-known/openid-configuration", ("fedhub-agents",))
IAM = RuntimeAccess("iam")


class MemoryCloud(MemoryProvider):
    """Discover from memory, and check the configuration as AgentCore does. A role's name must begin with `fedhub`."""

    roles = ("arn:aws:iam::*:role/fedhub*",)

    def normalize_config(self, config: JsonObject) -> JsonObject:
        return normalize_config(config, self.roles)

    def check_complete(self, config: JsonObject) -> None:
        check_complete(config, self.roles)

    def serve(self, provider_type: str) -> MemoryCloud:
        """Replace the registry's `provider_for`."""
        if provider_type != "aws_agentcore":
            raise ProviderNotImplementedError("Azure AI Foundry federation sync is not implemented yet")
        return self


def put_in_place(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, folder: Path) -> MemoryCloud:
    """Give every service a cloud in memory as its provider, and a search index in `folder`."""
    settings.SEARCH_PATH = str(folder / "search.sqlite3")
    provider = MemoryCloud()
    for module in (discover, forms):
        monkeypatch.setattr(module, "provider_for", provider.serve)
    return provider


def runtime(name: str, version: str, protocol: str, tags: dict[str, str] | None = None) -> Runtime:
    runtime_id = f"{name.replace('-', '_')}-{crc32(name.encode()):010d}"
    return Runtime(
        runtime_id=runtime_id,
        arn=f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}:runtime/{runtime_id}",
        name=name,
        version=version,
        status="READY",
        last_updated_at=datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
        description=f"Runs {name.replace('-', ' ')} for the payments teams.",
        protocol=protocol,
        protocol_configuration={"serverProtocol": protocol},
        tags=tags if tags is not None else {"env": "production", "team": "payments"},
    )


def tool(name: str) -> JsonObject:
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "account": {"type": "string", "description": "IBAN or account number"},
            "limit": {"type": "integer"},
        },
        "required": ["account"],
    }
    return {
        "name": name,
        "description": f"{name.replace('_', ' ').capitalize()} of one account.",
        "inputSchema": schema,
    }


def server(name: str, version: str = "1", tools: tuple[str, ...] = ("list_entries", "post_entry")) -> EnrichedMcpServer:
    found = runtime(name, version, "MCP")
    catalog = McpCatalog(
        tools=tuple(tool(each) for each in tools),
        resources=({"uri": "ledger://accounts", "name": "accounts", "mimeType": "application/json"},),
        prompts=({"name": "summarize", "description": "Summarize a month.", "arguments": [{"name": "month"}]},),
        capabilities={"tools": {"listChanged": True}},
    )
    url = f"https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/{found.runtime_id}/invocations?qualifier=DEFAULT"
    return EnrichedMcpServer(found, IAM, catalog, url)


def agent(name: str, version: str = "1") -> EnrichedAgent:
    found = runtime(name, version, "A2A")
    skills: tuple[JsonObject, ...] = (
        {
            "id": "triage",
            "name": "Triage",
            "description": "Sorts incoming cases by risk.",
            "tags": ["fraud", "risk"],
            "examples": ["Is this refund suspicious?"],
        },
        {"id": "explain", "name": "Explain", "description": "Explains a decision in plain words.", "tags": ["text"]},
    )
    card: JsonObject = {"name": name, "version": "2.1.0", "url": "https://agent.example.com", "skills": list(skills)}
    read = AgentCard(
        card,
        skills,
        url="https://example.com/invocations",
        name=f"{name} Inspector",
        organization="Apothecary Ltd",
        description=f"Agent {name}",
        version="2.1.0",
    )
    return EnrichedAgent(found, JWT, read)


def failed_agent(name: str) -> FailedRuntime:
    found = runtime(name, "1", "A2A")
    error = "enrichment failed: 403 Forbidden"
    return FailedRuntime(found.runtime_id, found.arn, name, "1", error, ResourceKind.A2A_AGENT, found.last_updated_at)


def federation(
    name: str = "Payments", region: str = "us-east-1", tags: tuple[str, ...] = ("production",)
) -> Federation:
    return create_federation(
        provider_type="aws_agentcore",
        display_name=name,
        description=None,
        tags=list(tags),
        provider_config={"region": region, "assumeRoleArn": ROLE, "resourceTagsFilter": {"env": "production"}},
        by=STAFF,
    )


def sync(found: Federation, cloud: MemoryCloud, *findings: Finding) -> SyncJob:
    """Sync `found` with `findings` as the complete content of its account."""
    cloud.findings = findings
    found.refresh_from_db()
    return run_sync(start_sync(found, by=STAFF).id)
