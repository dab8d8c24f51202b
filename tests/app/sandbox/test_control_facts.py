"""Facts of a runtime in the control plane: status, failure reason, protocol configuration and authorizer."""

from __future__ import annotations

from typing import Any

import pytest

from core.strict_json import Json
from sandbox.authorizers import claim_contains, claim_equals, jwt_authorizer, lattice_endpoint
from sandbox.client import SandboxClientError
from tests.app.sandbox.conftest import HTTP, LIST_TOOLS, Caller, Issuer

CONTROL = "bedrock-agentcore-control"


def describe(caller: Caller, name: str) -> Any:
    """Return AWS's description of the runtime, as botocore parses it."""
    client = caller.client(CONTROL, keys=caller.assume())
    return client.get_agent_runtime(agentRuntimeId=caller.sandbox.admin.get(name)["id"])


def test_a_runtime_in_create_failed_has_a_reason_and_cannot_be_called(caller: Caller) -> None:
    caller.sandbox.admin.add("unborn", status="CREATE_FAILED", failureReason="The image does not exist.")
    described = describe(caller, "unborn")
    assert (described["status"], described["failureReason"]) == ("CREATE_FAILED", "The image does not exist.")
    answer = caller.post("unborn")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert "is not ready: status CREATE_FAILED" in answer.json()["message"]


@pytest.mark.parametrize(
    ("status", "http_status"),
    [
        ("CREATING", 400),
        ("CREATE_FAILED", 400),
        ("UPDATING", 200),
        ("UPDATE_FAILED", 200),
        ("READY", 200),
        ("DELETING", 400),
        ("DELETE_FAILED", 200),
    ],
)
def test_the_status_decides_whether_a_runtime_can_be_called(caller: Caller, status: str, http_status: int) -> None:
    caller.sandbox.admin.add("changing", status=status)
    assert caller.post("changing").status_code == http_status
    assert "failureReason" not in describe(caller, "changing")


def test_a_protocol_configuration_has_port_and_path_where_they_are_set(caller: Caller) -> None:
    caller.sandbox.admin.add("moved", serverPort=9001, serverPath="/tools/mcp")
    assert describe(caller, "moved")["protocolConfiguration"] == {
        "serverProtocol": "MCP",
        "port": 9001,
        "path": "/tools/mcp",
    }
    caller.sandbox.admin.add("usual")
    assert describe(caller, "usual")["protocolConfiguration"] == {"serverProtocol": "MCP"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "BROKEN"),
        ("serverPort", 7999),
        ("serverPort", 12001),
        ("serverPort", 8443),
        ("serverPath", "no-slash"),
        ("failureReason", 7),
    ],
)
def test_values_that_aws_refuses_are_refused(caller: Caller, field: str, value: Json) -> None:
    with pytest.raises(SandboxClientError, match=field):
        caller.sandbox.admin.add("refused", "MCP", **{field: value})


def test_an_authorizer_has_scopes_claims_and_a_private_endpoint(caller: Caller, issuer: Issuer) -> None:
    authorizer = jwt_authorizer(
        issuer.url,
        scopes=["tools.read"],
        custom_claims=[claim_equals("team", "platform"), claim_contains("groups", "a", "b")],
        private_endpoint=lattice_endpoint(),
    )
    caller.sandbox.admin.add("guarded", authorizer=authorizer)
    assert describe(caller, "guarded")["authorizerConfiguration"] == authorizer


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"team": "platform", "groups": ["x", "b"]}, 200),
        ({"team": "finance", "groups": ["b"]}, 401),
        ({"team": "platform", "groups": ["x"]}, 401),
        ({"team": "platform", "groups": "b"}, 401),
        ({"team": ["platform"], "groups": ["b"]}, 401),
        ({"groups": ["b"]}, 401),
    ],
)
def test_custom_claims_decide_about_a_token(
    caller: Caller, issuer: Issuer, claims: dict[str, Any], status: int
) -> None:
    conditions = [claim_equals("team", "platform"), claim_contains("groups", "a", "b")]
    caller.sandbox.admin.add("claimed", authorizer=jwt_authorizer(issuer.url, custom_claims=conditions))
    assert post_with_token(caller, "claimed", issuer.token(issuer.claims() | claims)) == status


@pytest.mark.parametrize(("granted", "status"), [("tools.read other", 200), ("other", 401), (None, 401)])
def test_allowed_scopes_decide_about_a_token(caller: Caller, issuer: Issuer, granted: str | None, status: int) -> None:
    authorizer = jwt_authorizer(issuer.url, scopes=["tools.read"], private_endpoint=lattice_endpoint())
    caller.sandbox.admin.add("scoped", authorizer=authorizer)
    claims = issuer.claims() | ({} if granted is None else {"scope": granted})
    assert post_with_token(caller, "scoped", issuer.token(claims)) == status


def post_with_token(caller: Caller, name: str, token: str) -> int:
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-06-18",
    }
    answer = HTTP.post(caller.invocation_url(name), content=LIST_TOOLS, headers=headers)
    return answer.status_code
