"""Findings as a provider yields them, built short for tests of what stands on them."""

from __future__ import annotations

from datetime import UTC, datetime

from federations.sync.resources import (
    AgentCard,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    JsonObject,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
)

ACCOUNT = "123456789012"
REGION = "us-east-1"
SEEN_AT = datetime(2026, 3, 26, 7, 20, tzinfo=UTC)
IAM = RuntimeAccess("iam")


def arn_of(name: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:bedrock-agentcore:{region}:{account}:runtime/{name}-0123456789"


def runtime(name: str, *, version: str = "1", protocol: str = "MCP", **values: object) -> Runtime:
    return Runtime(
        runtime_id=f"{name}-0123456789",
        arn=arn_of(name),
        name=name,
        version=version,
        status="READY",
        last_updated_at=SEEN_AT,
        protocol=protocol,
        **values,  # type: ignore[arg-type]
    )


def server(name: str, *, version: str = "1", tools: tuple[str, ...] = ("look_up",)) -> EnrichedMcpServer:
    listed: tuple[JsonObject, ...] = tuple({"name": tool, "inputSchema": {"type": "object"}} for tool in tools)
    return EnrichedMcpServer(
        runtime(name, version=version), IAM, McpCatalog(tools=listed), url=f"https://runtime.example/{name}"
    )


def agent(name: str, *, version: str = "1") -> EnrichedAgent:
    skills: tuple[JsonObject, ...] = ({"id": "answer", "name": "Answer questions"},)
    card = AgentCard(raw={"name": name}, skills=skills, url=f"https://runtime.example/{name}", version="1.0.0")
    return EnrichedAgent(runtime(name, version=version, protocol="A2A"), IAM, card)


def failure(name: str, error: str = "enrichment failed: 403 Forbidden", *, version: str = "1") -> FailedRuntime:
    return FailedRuntime(
        runtime_id=f"{name}-0123456789",
        arn=arn_of(name),
        name=name,
        version=version,
        error=error,
        kind=ResourceKind.MCP_SERVER,
        last_updated_at=SEEN_AT,
    )
