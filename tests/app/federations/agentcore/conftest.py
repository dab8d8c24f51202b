"""A server in the place of AWS, and a provider that finds it by AWS's own variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core.oidc.signing_key import load_or_create
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.bounds import Limits
from federations.providers.agentcore.enrichment import DataPlane, DescribedRuntime, enrich_all
from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import DiscoveryRequest
from federations.sync.resources import Finding, JsonObject, ResourceKind, Runtime, RuntimeAccess
from tests.app.federations.agentcore.aws_server import UPDATED, AwsServer, aws_server, runtime_arn

ROLE = "arn:aws:iam::123456789012:role/demo"
CONFIG: JsonObject = {"region": "us-east-1", "assumeRoleArn": ROLE}
QUICK = Limits(seconds=10, retry_delays_seconds=(0.01, 0.01))

Discover = Callable[..., list[Finding]]
Ask = Callable[..., list[Finding]]


@pytest.fixture(scope="session")
def bearer_key(tmp_path_factory: pytest.TempPathFactory) -> BearerKey:
    key = load_or_create(tmp_path_factory.mktemp("oidc") / "key.pem")
    return BearerKey(key.kid, key.private_key)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AwsServer]:
    with aws_server() as server:
        for name in ("STS", "BEDROCK_AGENTCORE_CONTROL", "BEDROCK_AGENTCORE"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHUB")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hub-secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        yield server


@pytest.fixture
def discover(aws: AwsServer, bearer_key: BearerKey) -> Discover:
    def run(config: JsonObject | None = None, *, limits: Limits = QUICK, **wanted: Any) -> list[Finding]:
        provider = AgentCoreProvider(["*"], lambda: bearer_key, frozenset({"https://hub.example"}), limits=limits)
        request = DiscoveryRequest(config=CONFIG if config is None else config, external_id="ext-1", **wanted)
        return list(provider.discover(request).findings)

    return run


@pytest.fixture
def ask(aws: AwsServer) -> Ask:
    """Return a function that reads the runtime `claims`, whose stored revision it is given."""

    def run(known: str = "", *, limits: Limits = QUICK, is_private: bool = False, origin: str = "") -> list[Finding]:
        runtime = Runtime(
            "claims-abcdefghij", runtime_arn("claims"), "claims", "1", "READY", datetime.fromisoformat(UPDATED)
        )
        described = DescribedRuntime(runtime, RuntimeAccess("iam"), ResourceKind.MCP_SERVER, known, is_private)
        plane = DataPlane(origin or aws.url, lambda _: (lambda request: None, lambda: None), 4, limits)
        return list(enrich_all([described], plane, lambda done, total: None))

    return run
