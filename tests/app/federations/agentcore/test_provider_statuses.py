"""Runtimes that are not called: in statuses without a running server, and described anew under the same version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from federations.sync.resources import (
    EnrichedMcpServer,
    JsonObject,
    Observation,
    ResourceKind,
    UnavailableRuntime,
    UnchangedRuntime,
)
from tests.app.federations.agentcore.aws_server import (
    AwsServer,
    Message,
    aws_error,
    described,
    json_answer,
    runtime_arn,
    runtime_id,
)
from tests.app.federations.agentcore.conftest import CONFIG, Discover
from tests.app.federations.agentcore.mcp_replies import mcp_server

UPDATED = datetime(2026, 3, 26, 7, 20, 0, 123456, tzinfo=UTC)
BEFORE = UPDATED.replace(minute=1)
NOT_CALLED = ["CREATING", "CREATE_FAILED", "DELETING", "DELETE_FAILED"]
CALLED = ["READY", "UPDATING", "UPDATE_FAILED", "HIBERNATING"]
JWT = {"customJWTAuthorizer": {"discoveryUrl": "https://issuer.example/d", "allowedAudience": ["a"]}}


def seen(version: str = "1", updated: datetime = BEFORE, **more: object) -> dict[str, Observation]:
    access: JsonObject = {"mode": "iam"}
    values = {"protocol": "MCP", "access": access, "status": "READY", **more}
    return {runtime_id("a"): Observation(runtime_id("a"), version, updated, ResourceKind.MCP_SERVER, **values)}  # type: ignore[arg-type]


def described_calls(aws: AwsServer) -> int:
    return len(aws.requests("GET", f"/runtimes/{runtime_id('a')}/"))


@pytest.mark.parametrize("protocol", ["MCP", "A2A", "HTTP", "AGUI"])
@pytest.mark.parametrize("status", NOT_CALLED)
def test_a_runtime_that_cannot_answer_is_not_called(
    aws: AwsServer, discover: Discover, status: str, protocol: str
) -> None:
    aws.serve_runtimes(described("a", protocol, status=status, failureReason="No such image"))
    (finding,) = discover()
    assert isinstance(finding, UnavailableRuntime)
    assert (finding.runtime.status, finding.runtime.failure_reason) == (status, "No such image")
    assert finding.warning.to_dict() == {
        "kind": "runtime",
        "name": "a",
        "runtimeId": runtime_id("a"),
        "message": f"not read in status {status}: No such image",
    }
    assert not aws.invocations()


@pytest.mark.parametrize("status", CALLED)
def test_a_runtime_in_any_other_status_is_called(aws: AwsServer, discover: Discover, status: str) -> None:
    aws.serve_runtimes(described("a", status=status))
    aws.on_invocation("a", mcp_server())
    (finding,) = discover()
    assert isinstance(finding, EnrichedMcpServer)
    assert finding.runtime.status == status


def test_a_failed_runtime_that_was_observed_so_costs_no_call(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("a", status="CREATE_FAILED"))
    known = seen(updated=UPDATED, status="CREATE_FAILED", failure_reason="No such image", needs_enrichment=True)
    (finding,) = discover(observations=known)
    assert isinstance(finding, UnavailableRuntime)
    assert (finding.kind, finding.runtime.failure_reason) == (ResourceKind.MCP_SERVER, "No such image")
    assert described_calls(aws) == 0


def test_a_runtime_that_became_ready_under_the_same_time_is_read(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    aws.on_invocation("a", mcp_server())
    known = seen(updated=UPDATED, status="CREATING", needs_enrichment=True)
    (finding,) = discover(observations=known)
    assert isinstance(finding, EnrichedMcpServer)


def test_a_runtime_that_is_gone_while_it_is_deleted_is_not_an_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("a", status="DELETING"))
    aws.routes["GET", f"/runtimes/{runtime_id('a')}/"] = aws_error(404, "ResourceNotFoundException", "gone")
    (finding,) = discover(observations=seen())
    assert isinstance(finding, UnavailableRuntime)


def test_a_later_update_of_the_same_version_costs_one_description(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("a", status="UPDATING", description="A new text"))
    (finding,) = discover(observations=seen())
    assert isinstance(finding, UnchangedRuntime)
    assert finding.described
    assert (finding.described.description, finding.status, finding.last_updated_at) == (
        "A new text",
        "UPDATING",
        UPDATED,
    )
    assert described_calls(aws) == 1
    assert not aws.invocations()


CHANGES: dict[str, tuple[dict[str, Observation], Message]] = {
    "version": (seen("0"), {}),
    "access": (seen(), {"authorizerConfiguration": JWT}),
    "failed or incomplete": (seen(needs_enrichment=True), {}),
    "failed, at the same time": (seen(updated=UPDATED, needs_enrichment=True), {}),
    "no resource": (seen(access=None), {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_data_plane_is_asked_for_what_calls_for_it(aws: AwsServer, discover: Discover, change: str) -> None:
    known, more = CHANGES[change]
    aws.serve_runtimes(described("a", **more))
    aws.on_invocation("a", mcp_server())
    (finding,) = discover(observations=known)
    assert isinstance(finding, EnrichedMcpServer)


@pytest.mark.parametrize("updated", [BEFORE, UPDATED])
def test_the_tags_of_an_unchanged_runtime_are_read_with_a_filter(
    aws: AwsServer, discover: Discover, updated: datetime
) -> None:
    aws.serve_runtimes("a")
    aws.routes["GET", f"/tags/{runtime_arn('a')}"] = json_answer({"tags": {"env": "x", "team": "pay"}})
    (finding,) = discover({**CONFIG, "resourceTagsFilter": {"env": "x"}}, observations=seen(updated=updated))
    assert isinstance(finding, UnchangedRuntime)
    assert finding.tags == {"env": "x", "team": "pay"}
    (finding,) = discover(observations=seen(updated=updated))
    assert isinstance(finding, UnchangedRuntime)
    assert finding.tags is None
