"""STS and the control plane, called by boto3: pages, faults, trust policies, refusals."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.strict_json import Json
from tests.app.sandbox.conftest import Caller
from tests.sandbox_server import ROLE_ARN, RunningSandbox

CONTROL = "bedrock-agentcore-control"


def list_pages(client: Any, size: int) -> list[list[dict[str, Any]]]:
    pages = client.get_paginator("list_agent_runtimes").paginate(PaginationConfig={"PageSize": size})
    return [page["agentRuntimes"] for page in pages]


def error_of(call: Any, **fields: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**fields)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_runtimes_come_in_pages_each_once(caller: Caller) -> None:
    pages = list_pages(caller.client(CONTROL, keys=caller.assume()), 5)
    assert [len(page) for page in pages] == [5, 5, 2]
    assert len({runtime["agentRuntimeId"] for page in pages for runtime in page}) == 12
    assert caller.sandbox.admin.counts()["ListAgentRuntimes"] == 3


def test_a_runtime_removed_between_pages_hides_no_other(caller: Caller) -> None:
    added = [caller.sandbox.admin.add(f"paged_{number}") for number in range(3)]
    client = caller.client(CONTROL, keys=caller.assume())
    first = client.list_agent_runtimes(maxResults=13)
    caller.sandbox.admin.remove("paged_0")
    rest = client.list_agent_runtimes(maxResults=13, nextToken=first["nextToken"])
    assert first["agentRuntimes"][-1]["agentRuntimeId"] == added[0]["id"]
    assert [runtime["agentRuntimeName"] for runtime in rest["agentRuntimes"]] == ["paged_1", "paged_2"]


def test_ids_and_arns_have_the_shape_of_aws(caller: Caller) -> None:
    for runtime in list_pages(caller.client(CONTROL, keys=caller.assume()), 100)[0]:
        name, _, suffix = runtime["agentRuntimeId"].rpartition("-")
        assert name == runtime["agentRuntimeName"]
        assert len(suffix) == 10
        assert suffix.isalnum()
        arn = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime['agentRuntimeId']}"
        assert runtime["agentRuntimeArn"] == arn
        status = "CREATE_FAILED" if name == "legacy_crm_mcp" else "READY"
        assert (runtime["status"], runtime["agentRuntimeVersion"]) == (status, "1")


def test_a_runtime_is_described_with_protocol_and_authorizer(caller: Caller) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    runtime = client.get_agent_runtime(agentRuntimeId=str(caller.sandbox.admin.get("invoice_matching_mcp")["id"]))
    assert runtime["protocolConfiguration"] == {"serverProtocol": "MCP"}
    assert runtime["authorizerConfiguration"]["customJWTAuthorizer"]["allowedAudience"] == ["fedhub-runtimes"]
    plain = client.get_agent_runtime(agentRuntimeId=str(caller.sandbox.admin.get("code_review_a2a")["id"]))
    assert "authorizerConfiguration" not in plain


def test_tags_are_listed_by_arn(caller: Caller) -> None:
    arn = caller.sandbox.admin.get("pharmacy_fraud_mcp")["arn"]
    tags = caller.client(CONTROL, keys=caller.assume()).list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == {"env": "production", "team": "platform", "shared": "partner"}


@pytest.mark.parametrize("query", [{"nextToken": "made-up"}, {"nextToken": "YWZ0ZXI6eDp5"}])
def test_a_token_that_was_not_issued_is_refused(caller: Caller, query: dict[str, str]) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    assert error_of(client.list_agent_runtimes, **query) == ("ValidationException", 400)


def test_an_unknown_runtime_is_not_found(caller: Caller) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    found = error_of(client.get_agent_runtime, agentRuntimeId="nobody-0123456789")
    assert found == ("ResourceNotFoundException", 404)


def test_what_a_discovering_role_does_not_need_is_refused(caller: Caller) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    refused = error_of(
        client.delete_agent_runtime, agentRuntimeId=str(caller.sandbox.admin.get("code_review_a2a")["id"])
    )
    assert refused == ("AccessDeniedException", 403)
    assert caller.sandbox.admin.get("code_review_a2a")["version"] == "1"


# Faults


def test_a_fault_meets_the_page_it_names_and_no_other(caller: Caller) -> None:
    caller.sandbox.admin.faults({"operation": "ListAgentRuntimes", "page": 2, "error": "InternalServerException"})
    client = caller.client(CONTROL, keys=caller.assume())
    with pytest.raises(ClientError, match="InternalServerException"):
        list_pages(client, 5)
    assert caller.sandbox.admin.counts()["ListAgentRuntimes"] == 2
    assert len(list_pages(client, 5)) == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [("ResourceNotFoundException", 404), ("AccessDeniedException", 403), ("InternalServerException", 500)],
)
@pytest.mark.parametrize("key", ["id", "name", "arn"])
def test_a_fault_meets_the_runtime_it_names(caller: Caller, error: str, status: int, key: str) -> None:
    bad, good = caller.sandbox.admin.get("code_review_a2a"), caller.sandbox.admin.get("pharmacy_fraud_mcp")
    caller.sandbox.admin.faults({"operation": "GetAgentRuntime", "id": bad[key], "error": error, "times": 1})
    client = caller.client(CONTROL, keys=caller.assume())
    assert client.get_agent_runtime(agentRuntimeId=good["id"])["agentRuntimeName"] == "pharmacy_fraud_mcp"
    assert error_of(client.get_agent_runtime, agentRuntimeId=bad["id"]) == (error, status)
    assert caller.sandbox.admin.pending_faults() == 0


def test_throttling_is_retried_by_botocore(caller: Caller) -> None:
    caller.sandbox.admin.faults({"operation": "GetAgentRuntime", "error": "ThrottlingException", "times": 2})
    client = caller.client(CONTROL, attempts=4, keys=caller.assume())
    answer = client.get_agent_runtime(agentRuntimeId=caller.sandbox.admin.get("code_review_a2a")["id"])
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_throttling_of_sts_is_retried_by_botocore(caller: Caller) -> None:
    caller.sandbox.admin.faults({"operation": "AssumeRole", "error": "ThrottlingException", "times": 1})
    answer = caller.client("sts", attempts=3).assume_role(RoleArn=ROLE_ARN, RoleSessionName="fedhub")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


def test_credentials_can_be_reported_expired_once(caller: Caller) -> None:
    caller.sandbox.admin.faults({"operation": "ListAgentRuntimes", "error": "ExpiredTokenException", "times": 1})
    client = caller.client(CONTROL, keys=caller.assume())
    assert error_of(client.list_agent_runtimes) == ("ExpiredTokenException", 403)
    assert client.list_agent_runtimes()["agentRuntimes"]


def test_latency_is_added_to_every_call(caller: Caller) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    client.list_agent_runtimes()
    caller.sandbox.admin.latency(150)
    started = time.monotonic()
    client.list_agent_runtimes()
    assert time.monotonic() - started >= 0.15


# Credentials and trust


def test_issued_credentials_expire(caller: Caller) -> None:
    client = caller.client(CONTROL, keys=caller.assume())
    assert client.list_agent_runtimes()["agentRuntimes"]
    assert caller.sandbox.admin.expire_credentials() >= 1
    assert error_of(client.list_agent_runtimes) == ("ExpiredTokenException", 403)
    assert caller.client(CONTROL, keys=caller.assume()).list_agent_runtimes()["agentRuntimes"]


def test_the_lifetime_of_issued_credentials_can_be_set(caller: Caller) -> None:
    caller.sandbox.admin.lifetime(1)
    client = caller.client(CONTROL, keys=caller.assume())
    assert client.list_agent_runtimes()["agentRuntimes"]
    time.sleep(1.1)
    assert error_of(client.list_agent_runtimes) == ("ExpiredTokenException", 403)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aws_access_key_id": "ASIAUNKNOWN"}, "UnrecognizedClientException"),
        ({"aws_secret_access_key": "another"}, "InvalidSignatureException"),
        ({"aws_session_token": "another"}, "UnrecognizedClientException"),
    ],
)
def test_wrong_credentials_are_refused(caller: Caller, changes: dict[str, str], code: str) -> None:
    client = caller.client(CONTROL, keys={**caller.assume(), **changes})
    assert error_of(client.list_agent_runtimes) == (code, 403)
    assert caller.sandbox.admin.calls()["refused"] == {code: 1}


def test_issued_credentials_without_their_session_token_are_refused(caller: Caller) -> None:
    keys = caller.assume()
    del keys["aws_session_token"]
    assert error_of(caller.client(CONTROL, keys=keys).list_agent_runtimes) == ("UnrecognizedClientException", 403)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aws_access_key_id": "AKIAUNKNOWN"}, "InvalidClientTokenId"),
        ({"aws_secret_access_key": "another"}, "SignatureDoesNotMatch"),
    ],
)
def test_sts_refuses_wrong_credentials_in_its_own_words(caller: Caller, changes: dict[str, str], code: str) -> None:
    client = caller.client("sts", keys={**caller.keys, **changes})
    assert error_of(client.assume_role, RoleArn=ROLE_ARN, RoleSessionName="fedhub") == (code, 403)


def test_the_hubs_own_keys_list_its_own_account(caller: Caller) -> None:
    assert len(caller.client(CONTROL).list_agent_runtimes()["agentRuntimes"]) == 12
    assert caller.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_who_assumed_which_role_is_recorded(caller: Caller) -> None:
    caller.assume(ExternalId="fedhub-1")
    assert caller.sandbox.admin.calls()["assumedRoles"] == [
        {"roleArn": ROLE_ARN, "externalId": "fedhub-1", "roleSessionName": "fedhub"}
    ]


@pytest.mark.parametrize(("sent", "is_let_in"), [("right", True), ("wrong", False), (None, False)])
def test_a_role_that_requires_an_external_id_takes_no_other(caller: Caller, sent: str | None, is_let_in: bool) -> None:
    role = "arn:aws:iam::123456789012:role/guarded"
    caller.sandbox.admin.trust(role, external_id="right")
    fields = {} if sent is None else {"ExternalId": sent}
    if is_let_in:
        assert caller.assume(role, **fields)["aws_session_token"]
    else:
        call = caller.client("sts").assume_role
        assert error_of(call, RoleArn=role, RoleSessionName="fedhub", **fields) == ("AccessDenied", 403)


def test_a_pinned_role_trusts_the_first_external_id_it_sees(caller: Caller) -> None:
    role = f"arn:aws:iam::123456789012:role/pinned-{time.monotonic_ns()}"
    assert caller.assume(role, ExternalId="first")
    refused = error_of(caller.client("sts").assume_role, RoleArn=role, RoleSessionName="fedhub", ExternalId="second")
    assert refused == ("AccessDenied", 403)
    assert caller.assume(role, ExternalId="first")


def test_a_closed_role_lets_nobody_in(caller: Caller) -> None:
    role = "arn:aws:iam::123456789012:role/closed"
    caller.sandbox.admin.trust(role, closed=True)
    assert error_of(caller.client("sts").assume_role, RoleArn=role, RoleSessionName="fedhub") == ("AccessDenied", 403)


@pytest.mark.parametrize("role", ["arn:aws:iam::123:role/x-long-enough", "arn:aws:s3:::bucket/long-enough"])
def test_what_is_no_role_cannot_be_assumed(caller: Caller, role: str) -> None:
    call = caller.client("sts").assume_role
    assert error_of(call, RoleArn=role, RoleSessionName="fedhub") == ("ValidationError", 400)


def test_accounts_and_regions_see_only_their_own_runtimes(caller: Caller) -> None:
    caller.sandbox.admin.add("elsewhere", account="210987654321", region="eu-west-1")
    keys = caller.assume("arn:aws:iam::210987654321:role/discovery")
    there = caller.client(CONTROL, region="eu-west-1", keys=keys).list_agent_runtimes()["agentRuntimes"]
    assert [runtime["agentRuntimeName"] for runtime in there] == ["elsewhere"]
    assert caller.client(CONTROL, keys=keys).list_agent_runtimes()["agentRuntimes"] == []
    assert len(caller.client(CONTROL, keys=caller.assume()).list_agent_runtimes()["agentRuntimes"]) == 12


def test_what_changes_at_the_admin_is_what_aws_answers(sandbox: RunningSandbox, caller: Caller) -> None:
    sandbox.admin.add("changing", protocol="MCP", description="before", tags={"a": "1"})
    client = caller.client(CONTROL, keys=caller.assume())
    runtime_id = str(sandbox.admin.get("changing")["id"])
    before = client.get_agent_runtime(agentRuntimeId=runtime_id)
    authorizer: Json = {"customJWTAuthorizer": {"discoveryUrl": "https://x.example/.well-known/openid-configuration"}}
    sandbox.admin.patch("changing", description="after", protocol="A2A", authorizer=authorizer, tags={"b": "2"})
    after = client.get_agent_runtime(agentRuntimeId=runtime_id)
    assert (before["agentRuntimeVersion"], after["agentRuntimeVersion"]) == ("1", "2")
    assert before["agentRuntimeArn"] == after["agentRuntimeArn"]
    assert after["lastUpdatedAt"] > before["lastUpdatedAt"]
    assert (after["description"], after["protocolConfiguration"]) == ("after", {"serverProtocol": "A2A"})
    assert after["authorizerConfiguration"] == authorizer
    assert client.list_tags_for_resource(resourceArn=after["agentRuntimeArn"])["tags"] == {"b": "2"}
    sandbox.admin.patch("changing", authorizer={})
    assert "authorizerConfiguration" not in client.get_agent_runtime(agentRuntimeId=runtime_id)
    listed = [entry for page in list_pages(client, 100) for entry in page if entry["agentRuntimeId"] == runtime_id]
    assert [entry["agentRuntimeVersion"] for entry in listed] == ["3"]
