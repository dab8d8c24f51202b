"""Which provider serves which type, and the twin in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import (
    DiscoveryRequest,
    InvalidProviderConfigError,
    Progress,
    ProviderError,
    ProviderNotImplementedError,
)
from federations.providers.registry import provider_for
from federations.sync.resources import Finding, ResourceKind, UnchangedRuntime
from tests.memory_provider import MemoryProvider

ROLE = "arn:aws:iam::123456789012:role/demo"


def finding(name: str) -> UnchangedRuntime:
    return UnchangedRuntime(name, f"arn:{name}", name, "1", datetime(2026, 1, 1, tzinfo=UTC), ResourceKind.MCP_SERVER)


def test_agentcore_follows_the_settings(settings: Settings, tmp_path: Path) -> None:
    settings.FEDHUB_ASSUMABLE_ROLES = ["arn:aws:iam::999999999999:role/*"]
    settings.FEDHUB_DISCOVERY_CONCURRENCY = 3
    settings.FEDHUB_OIDC_KEY_PATH = tmp_path / "key.pem"
    provider = provider_for("aws_agentcore")
    assert isinstance(provider, AgentCoreProvider)
    assert provider.concurrency == 3
    assert settings.FEDHUB_SERVER_URL in provider.hub_audiences
    with pytest.raises(InvalidProviderConfigError):
        provider.normalize_config({"assumeRoleArn": ROLE})
    assert not settings.FEDHUB_OIDC_KEY_PATH.exists()
    assert provider.bearer_key().kid
    assert settings.FEDHUB_OIDC_KEY_PATH.exists()


def test_azure_is_named_but_not_implemented() -> None:
    with pytest.raises(ProviderNotImplementedError) as caught:
        provider_for("azure_ai_foundry")
    assert caught.value.message == "Azure AI Foundry federation sync is not implemented yet"


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(InvalidProviderConfigError) as caught:
        provider_for("some_provider")
    assert caught.value.message == "Unsupported federation provider type: some_provider"


def test_the_memory_provider_answers_what_it_is_told() -> None:
    findings: list[Finding] = [finding("a"), finding("b")]
    provider = MemoryProvider(findings)
    reports: list[Progress] = []
    request = DiscoveryRequest(config={"region": "x"}, report=reports.append)
    assert provider.discover(request).findings == tuple(findings)
    assert provider.requests == [request]
    assert [report.phase for report in reports] == ["discovering", "enriching"]
    (only,) = provider.discover(DiscoveryRequest(config={}, runtime_arn="arn:b")).findings
    assert only == findings[1]


def test_the_memory_provider_fails_on_demand() -> None:
    provider = MemoryProvider(error=ProviderError("no listing"))
    with pytest.raises(ProviderError, match="no listing"):
        provider.discover(DiscoveryRequest(config={}))
    with pytest.raises(InvalidProviderConfigError, match="wrong"):
        provider.normalize_config({"invalid": "wrong"})
    with pytest.raises(InvalidProviderConfigError, match=r"providerConfig\.region"):
        provider.check_complete({})


def test_what_happens_before_the_answer_counts() -> None:
    provider = MemoryProvider([finding("a")])
    provider.before_answer = lambda request: setattr(provider, "findings", [finding("b")])
    (only,) = provider.discover(DiscoveryRequest(config={})).findings
    assert only == finding("b")
