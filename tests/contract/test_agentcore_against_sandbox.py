"""The AgentCore provider against the sandbox: moto's control plane, real MCP and A2A servers, checked signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any
from unittest import mock

import botocore.auth
import pytest
from botocore.credentials import Credentials

from federations.providers.agentcore import data_plane
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.bounds import Limits
from federations.providers.agentcore.data_plane import sign
from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import DiscoveryRequest, ProviderError
from federations.sync.resources import (
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    JsonObject,
    Observation,
    ResourceKind,
    Runtime,
    UnchangedRuntime,
    UnsupportedRuntime,
)
from sandbox.client import SandboxClient
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox, start_sandbox

CONFIG: JsonObject = {"region": REGION, "assumeRoleArn": ROLE_ARN}
QUICK = Limits(seconds=20, retry_delays_seconds=(0.01, 0.01, 0.01))

Discover = Callable[..., dict[str, Finding]]


def no_key() -> BearerKey:
    raise AssertionError("no runtime here wants a token")


def name_of(finding: Finding) -> str:
    return finding.name if isinstance(finding, UnchangedRuntime | FailedRuntime) else finding.runtime.name


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(runtimes=0) as sandbox:
        yield sandbox


@pytest.fixture
def cloud(running: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    yield running.admin
    for runtime in running.admin.runtimes():
        running.admin.remove(str(runtime["id"]))
    running.admin.faults()
    running.admin.lifetime(None)
    running.admin.reset()


@pytest.fixture
def discover(cloud: SandboxClient) -> Discover:
    def run(*, config: JsonObject = CONFIG, limits: Limits = QUICK, **wanted: Any) -> dict[str, Finding]:
        provider = AgentCoreProvider(["*"], no_key, limits=limits)
        request = DiscoveryRequest(config=config, external_id="ext-1", **wanted)
        return {name_of(finding): finding for finding in provider.discover(request).findings}

    return run


def failure(finding: Finding) -> FailedRuntime:
    assert isinstance(finding, FailedRuntime), finding
    return finding


def server(finding: Finding) -> EnrichedMcpServer:
    assert isinstance(finding, EnrichedMcpServer), finding
    return finding


def remember(runtime: Runtime, kind: ResourceKind) -> dict[str, Observation]:
    return {runtime.runtime_id: Observation(runtime.runtime_id, runtime.version, runtime.last_updated_at, kind)}


def test_each_kind_is_found_and_described(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("claims", "MCP", tools=7, tags={"env": "production"})
    cloud.add("fraud", "A2A", skills=2)
    cloud.add("plain", "HTTP")
    found = discover()
    assert len(server(found["claims"]).catalog.tools) == 7
    agent = found["fraud"]
    assert isinstance(agent, EnrichedAgent)
    assert len(agent.card.skills) == 2
    assert isinstance(found["plain"], UnsupportedRuntime)
    assert cloud.calls()["assumedRoles"] == [
        {"roleArn": ROLE_ARN, "externalId": "ext-1", "roleSessionName": f"agentcore-federation-{REGION}"}
    ]
    assert cloud.calls()["refused"] == {}


def test_a_second_run_asks_nothing_of_what_did_not_change(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("claims", "MCP")
    observations = remember(server(discover()["claims"]).runtime, ResourceKind.MCP_SERVER)
    cloud.reset()
    assert isinstance(discover(observations=observations)["claims"], UnchangedRuntime)
    assert cloud.counts() == {"AssumeRole": 1, "ListAgentRuntimes": 1}
    cloud.patch("claims", tools=2)
    assert server(discover(observations=observations)["claims"]).runtime.version == "2"


def test_a_touched_runtime_of_the_same_version_is_asked_again(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("claims", "MCP")
    observations = remember(server(discover()["claims"]).runtime, ResourceKind.MCP_SERVER)
    cloud.patch("claims", touch=True)
    assert server(discover(observations=observations)["claims"]).runtime.version == "1"


def test_the_second_page_fails_and_so_does_the_discovery(cloud: SandboxClient, discover: Discover) -> None:
    for number in range(101):
        cloud.add(f"runtime_{number}", "HTTP")
    assert len(discover()) == 101
    cloud.faults({"operation": "ListAgentRuntimes", "error": "AccessDeniedException", "page": 2})
    with pytest.raises(ProviderError, match=f"^Failed to list AgentCore runtimes in {REGION}: .*AccessDenied"):
        discover()
    assert cloud.pending_faults() == 0


def test_a_runtime_that_is_gone_is_one_error_of_unknown_kind(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("claims", "MCP")
    cloud.add("gone", "MCP")
    cloud.faults({"operation": "GetAgentRuntime", "error": "ResourceNotFoundException", "id": "gone"})
    found = discover()
    assert failure(found["gone"]).kind is None
    assert failure(found["gone"]).message.startswith("Runtime gone: ")
    server(found["claims"])


@pytest.mark.parametrize("operation", ["AssumeRole", "ListAgentRuntimes", "GetAgentRuntime", "InvokeAgentRuntime"])
def test_throttling_is_tried_again(cloud: SandboxClient, discover: Discover, operation: str) -> None:
    cloud.add("claims", "MCP")
    cloud.faults({"operation": operation, "error": "ThrottlingException", "times": 2})
    server(discover()["claims"])
    assert cloud.pending_faults() == 0


@pytest.mark.parametrize("operation", ["ListAgentRuntimes", "GetAgentRuntime", "InvokeAgentRuntime"])
def test_expired_credentials_are_renewed_once(cloud: SandboxClient, discover: Discover, operation: str) -> None:
    cloud.add("claims", "MCP")
    cloud.faults({"operation": operation, "error": "ExpiredTokenException"})
    server(discover()["claims"])
    assert cloud.counts()["AssumeRole"] == 2


def test_credentials_that_stay_expired_fail_the_discovery(cloud: SandboxClient, discover: Discover) -> None:
    cloud.faults({"operation": "ListAgentRuntimes", "error": "ExpiredTokenException", "times": 5})
    with pytest.raises(ProviderError, match="security token included in the request is expired"):
        discover()
    assert cloud.counts()["AssumeRole"] == 2


def test_a_role_that_trusts_nobody_fails_the_discovery(cloud: SandboxClient, discover: Discover) -> None:
    role = "arn:aws:iam::123456789012:role/closed"
    cloud.trust(role, closed=True)
    with pytest.raises(ProviderError, match=f"Failed to list AgentCore runtimes in {REGION}: .*AssumeRole"):
        discover(config={**CONFIG, "assumeRoleArn": role})


@pytest.mark.parametrize("protocol", ["MCP", "A2A"])
def test_a_cold_start_is_tried_again(cloud: SandboxClient, discover: Discover, protocol: str) -> None:
    cloud.add("sleepy", protocol, behavior={"coldStarts": 2})
    assert isinstance(discover()["sleepy"], EnrichedMcpServer | EnrichedAgent)


def test_a_forbidden_card_reads_as_the_contract_says(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("pharmacy_fraud_a2a", "A2A")
    cloud.add("other", "A2A")
    refused: JsonObject = {"operation": "GetAgentCard", "error": "AccessDeniedException", "message": "Forbidden"}
    cloud.faults({**refused, "id": "pharmacy_fraud_a2a"})
    found = discover()
    failed = failure(found["pharmacy_fraud_a2a"])
    assert failed.message == "A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden"
    assert isinstance(found["other"], EnrichedAgent)


def test_tools_come_over_pages_of_event_streams(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("claims", "MCP", tools=7, pageSize=3, streams=True)
    assert len(server(discover()["claims"]).catalog.tools) == 7
    assert cloud.counts()["mcp:tools/list"] == 3


@pytest.mark.parametrize(
    ("protocol", "behavior", "reason"),
    [
        ("MCP", {"broken": True}, "500 Internal Server Error: An internal error occurred in the runtime"),
        ("MCP", {"forbidden": True}, "403 Forbidden: Access to bad is forbidden"),
        ("MCP", {"hangs": True}, "no complete answer within 2 seconds"),
        ("A2A", {"hangs": True}, "no complete answer within 2 seconds"),
        ("MCP", {"coldStarts": 50}, "424 Failed Dependency: Runtime initialization time exceeded"),
        ("A2A", {"coldStarts": 50}, "502 Bad Gateway: Runtime initialization time exceeded"),
        ("A2A", {"card": "empty"}, "the agent card has no name"),
        ("A2A", {"card": "no_skills"}, "the agent card has no skills"),
    ],
)
def test_a_misbehaving_runtime_is_its_own_error(
    cloud: SandboxClient, discover: Discover, protocol: str, behavior: JsonObject, reason: str
) -> None:
    cloud.add("good", "MCP")
    cloud.add("bad", protocol, behavior=behavior)
    found = discover(limits=Limits(seconds=2, retry_delays_seconds=(0.01,)))
    assert failure(found["bad"]).error.startswith("enrichment failed: ")
    assert reason in failure(found["bad"]).error
    server(found["good"])


def test_a_listing_that_repeats_its_cursor_ends_with_a_warning(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("endless", "MCP", tools=3, behavior={"endlessCursor": True})
    catalog = server(discover()["endless"]).catalog
    assert len(catalog.tools) == 3
    assert "repeats a cursor" in catalog.warnings[0].message


def test_tools_of_more_than_4_mb_are_lost_alone(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("large", "MCP", prompts=[{"name": "greet"}], behavior={"oversize": True})
    catalog = server(discover()["large"]).catalog
    assert (catalog.tools, set(catalog.lost_listings)) == ((), {"tools"})
    assert "larger than 4194304 bytes" in catalog.warnings[0].message


def test_examples_that_are_objects_become_text(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("fraud", "A2A", behavior={"card": "object_examples"})
    agent = discover()["fraud"]
    assert isinstance(agent, EnrichedAgent)
    examples = [example for skill in agent.card.skills for example in _list(skill.get("examples"))]
    assert examples
    assert all(isinstance(example, str) for example in examples)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def test_a_tags_filter_is_an_and(cloud: SandboxClient, discover: Discover) -> None:
    cloud.add("both", "MCP", tags={"env": "production", "team": "platform"})
    cloud.add("one", "MCP", tags={"env": "production"})
    found = discover(config={**CONFIG, "resourceTagsFilter": {"env": "production", "team": "platform"}})
    assert set(found) == {"both"}
    assert server(found["both"]).runtime.tags == {"env": "production", "team": "platform"}
    assert cloud.counts()["ListTagsForResource"] == 2


def test_one_runtime_is_found_by_its_arn_with_the_hubs_own_credentials(
    cloud: SandboxClient, discover: Discover
) -> None:
    arn = str(cloud.add("claims", "MCP")["arn"])
    cloud.add("other", "MCP")
    assert set(discover(config={"region": REGION}, runtime_arn=arn)) == {"claims"}
    assert "ListAgentRuntimes" not in cloud.counts()
    assert "AssumeRole" not in cloud.counts()


Break = Callable[..., dict[str, str]]


def with_other(**changes: Any) -> Break:
    """Sign something other than what is sent."""

    def broken(method: str, url: str, headers: dict[str, str], body: bytes, **wanted: Any) -> dict[str, str]:
        values = {"method": method, "url": url, "headers": headers, "body": body, **wanted}
        values.update({name: change(values[name]) for name, change in changes.items()})
        return sign(**values)

    return broken


def at(moment: datetime) -> Break:
    """Sign what is sent, at another time."""

    def broken(*positional: Any, **wanted: Any) -> dict[str, str]:
        with mock.patch.object(botocore.auth, "get_current_datetime", lambda: moment):
            return sign(*positional, **wanted)

    return broken


def with_header(**changes: Callable[[str], str]) -> Break:
    """Sign well, then change a header."""

    def broken(*positional: Any, **wanted: Any) -> dict[str, str]:
        headers = sign(*positional, **wanted)
        return headers | {
            name.replace("_", "-"): change(headers[name.replace("_", "-")]) for name, change in changes.items()
        }

    return broken


MISMATCH = "403 Forbidden: The request signature we calculated does not match the signature you provided"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (with_other(method=lambda _: "PUT"), MISMATCH),
        (with_other(url=lambda url: url.replace("%3A", ":")), MISMATCH),
        (with_other(url=lambda url: url.replace("DEFAULT", "OTHER")), MISMATCH),
        (with_other(headers=lambda headers: {**headers, "content-type": "text/plain"}), MISMATCH),
        (with_other(body=lambda body: body + b" "), "does not match the request's body"),
        (with_other(credentials=lambda key: Credentials(key.access_key, "wrong", key.token)), MISMATCH),
        (
            with_other(credentials=lambda key: Credentials(key.access_key, key.secret_key, "wrong")),
            "403 Forbidden: The security token included in the request is invalid",
        ),
        (
            with_other(credentials=lambda key: Credentials("ASIAUNKNOWN", key.secret_key, key.token)),
            "403 Forbidden: The security token included in the request is invalid",
        ),
        (with_other(region=lambda _: "eu-west-1"), "scoped to a valid region"),
        (partial(sign, service="s3"), "scoped to correct service"),
        (at(datetime(2020, 1, 1)), "Signature expired"),
        (with_header(authorization=lambda text: text[:-1] + ("0" if text[-1] != "0" else "1")), MISMATCH),
        (with_header(authorization=lambda text: text.replace("host;", "")), "'host' must be a 'SignedHeader'"),
        (with_header(authorization=lambda _: "AWS4-HMAC-SHA256 nothing"), "Authorization header requires Credential"),
        (with_header(x_amz_security_token=lambda _: ""), "The security token included in the request is invalid"),
        (with_header(x_amz_date=lambda text: text[:-3] + "99Z"), "403 Forbidden"),
    ],
)
def test_each_broken_ingredient_of_a_signature_is_refused_and_explained(
    cloud: SandboxClient, discover: Discover, monkeypatch: pytest.MonkeyPatch, broken: Break, reason: str
) -> None:
    cloud.add("claims", "MCP")
    monkeypatch.setattr(data_plane, "sign", broken)
    failed = failure(discover()["claims"])
    assert failed.error.startswith("enrichment failed: 403 Forbidden")
    assert reason in failed.error
    monkeypatch.setattr(data_plane, "sign", sign)
    server(discover()["claims"])
