"""What a discovery of one MCP server found."""

from __future__ import annotations

from federations.sync.resources import EnrichedMcpServer, FailedRuntime, Finding, McpCatalog


def catalog_of(findings: list[Finding]) -> McpCatalog:
    (finding,) = findings
    assert isinstance(finding, EnrichedMcpServer), finding
    return finding.catalog


def error_of(findings: list[Finding]) -> str:
    (finding,) = findings
    assert isinstance(finding, FailedRuntime), finding
    return finding.error


def messages_of(catalog: McpCatalog) -> list[str]:
    return [warning.message for warning in catalog.warnings]
