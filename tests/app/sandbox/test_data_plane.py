"""The data plane over HTTP: authentication, and the official clients as callers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from a2a.client import A2ACardResolver
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from mcp import types
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from core.strict_json import JsonObject
from tests.app.sandbox.conftest import HTTP, LIST_TOOLS, Caller, Issuer, jwt_block

INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
).encode()


class BotocoreAuth(httpx2.Auth):
    """Signs each request with botocore's own signer."""

    requires_request_body = True

    def __init__(self, keys: dict[str, str]) -> None:
        self._credentials = Credentials(*keys.values())

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        host = {"host": request.headers["host"]}
        signed = AWSRequest(request.method, str(request.url), data=request.content, headers=host)
        SigV4Auth(self._credentials, "bedrock-agentcore", "us-east-1").add_auth(signed)
        request.headers.update({name: str(value) for name, value in signed.headers.items()})
        yield request


@asynccontextmanager
async def connect(
    url: str, auth: httpx2.Auth | None, headers: dict[str, str], messages: list[str]
) -> AsyncGenerator[Client]:
    async def note(params: types.LoggingMessageNotificationParams) -> None:
        messages.append(str(params.data))

    async with (
        httpx2.AsyncClient(auth=auth, headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode="legacy", logging_callback=note) as client,
    ):
        yield client


def list_everything(
    url: str, *, auth: httpx2.Auth | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return what the official MCP client finds behind `url`, page by page."""

    async def listing() -> dict[str, Any]:
        messages: list[str] = []
        tools: list[str] = []
        pages, cursor = 0, None
        async with connect(url, auth, headers or {}, messages) as client:
            while pages == 0 or cursor is not None:
                page = await client.list_tools(cursor=cursor)
                tools += [tool.name for tool in page.tools]
                pages, cursor = pages + 1, page.next_cursor
            has_resources = client.server_capabilities.resources is not None
            resources = [entry.name for entry in (await client.list_resources()).resources] if has_resources else []
            prompts = [entry.name for entry in (await client.list_prompts()).prompts] if has_resources else []
            name = client.server_info.name if client.server_info else ""
        return {
            "name": name,
            "tools": tools,
            "pages": pages,
            "resources": resources,
            "prompts": prompts,
            "messages": messages,
        }

    return asyncio.run(listing())


# The official clients


def test_the_mcp_client_lists_the_tools_of_an_iam_runtime(caller: Caller) -> None:
    found = list_everything(caller.invocation_url("pharmacy_fraud_mcp"), auth=BotocoreAuth(caller.assume()))
    assert found["name"] == "pharmacy_fraud_mcp"
    assert found["tools"] == caller.sandbox.admin.get("pharmacy_fraud_mcp")["tools"]
    assert caller.sandbox.admin.counts() | {"AssumeRole": 1} == {
        "AssumeRole": 1,
        "mcp:initialize": 1,
        "mcp:notifications/initialized": 1,
        "mcp:tools/list": 1,
    }


def test_the_mcp_client_lists_pages_and_meets_a_notification_before_the_result(caller: Caller, issuer: Issuer) -> None:
    url = caller.invocation_url("invoice_matching_mcp")
    found = list_everything(url, headers={"Authorization": f"Bearer {issuer.token()}"})
    assert len(found["tools"]) == 5
    assert found["pages"] == 2
    assert found["messages"] == ["listing the tools of invoice_matching_mcp"] * 2


def test_event_streams_carry_the_notification_first(caller: Caller) -> None:
    answer = caller.post("weather_forecast_mcp")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [event.get("method") for event in events] == ["notifications/message", None]
    assert len(events[1]["result"]["tools"]) == 5


def test_plain_answers_are_json(caller: Caller) -> None:
    assert caller.post("pharmacy_fraud_mcp").headers["content-type"] == "application/json"


def test_some_servers_have_resources_and_prompts_and_some_do_not(caller: Caller) -> None:
    auth = BotocoreAuth(caller.assume())
    rich = list_everything(caller.invocation_url("weather_forecast_mcp"), auth=auth)
    poor = list_everything(caller.invocation_url("pharmacy_fraud_mcp"), auth=auth)
    assert (len(rich["resources"]), len(rich["prompts"])) == (2, 1)
    assert (poor["resources"], poor["prompts"]) == ([], [])


def test_the_a2a_client_resolves_a_card(caller: Caller) -> None:
    url = caller.card_url("code_review_a2a")

    async def resolve() -> Any:
        async with httpx.AsyncClient(headers=caller.signed("GET", url)) as http:
            base, _, path = url.partition("/.well-known")
            return await A2ACardResolver(http, base, agent_card_path=f".well-known{path}").get_agent_card()

    card = asyncio.run(resolve())
    assert card.name == "code_review_a2a"
    assert [skill.id for skill in card.skills] == caller.sandbox.admin.get("code_review_a2a")["skills"]
    assert caller.sandbox.admin.counts()["GetAgentCard"] == 1


@pytest.mark.parametrize(
    ("method", "headers", "part", "role"),
    [
        ("message/send", {}, {"kind": "text", "text": "hello"}, "user"),
        ("SendMessage", {"A2A-Version": "1.0"}, {"text": "hello"}, "ROLE_USER"),
    ],
)
def test_agents_echo_messages(
    caller: Caller, method: str, headers: dict[str, str], part: dict[str, str], role: str
) -> None:
    caller.sandbox.admin.add("echo", "A2A", forwardedHeaders=["A2A-Version"])
    message = {"role": role, "messageId": "m-1", "parts": [part]}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}).encode()
    answer = caller.post("echo", body, **headers).json()
    assert "echo: hello" in json.dumps(answer["result"])


def test_an_agent_gets_no_version_header_unless_its_runtime_allows_it(caller: Caller) -> None:
    message = {"role": "ROLE_USER", "messageId": "m-1", "parts": [{"text": "hello"}]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    answer = caller.post("code_review_a2a", json.dumps(call).encode(), **{"A2A-Version": "1.0"}).json()
    assert answer["error"]["code"] == -32009


def test_a_runtime_of_another_protocol_answers_in_its_own_way(caller: Caller) -> None:
    assert caller.post("image_tagging_http", b'{"prompt":"x"}').json() == {"output": "image_tagging_http heard you"}


# Authentication


def test_a_request_without_any_proof_is_refused(caller: Caller) -> None:
    iam = HTTP.post(caller.invocation_url("pharmacy_fraud_mcp"), content=LIST_TOOLS)
    assert (iam.status_code, iam.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    with_jwt = HTTP.post(caller.invocation_url("invoice_matching_mcp"), content=LIST_TOOLS)
    assert with_jwt.status_code == 401
    assert with_jwt.headers["www-authenticate"].startswith("Bearer ")


SIGNED: dict[str, Callable[[dict[str, Any]], None]] = {
    "method": lambda sent: sent.update(method="GET"),
    "path": lambda sent: sent.update(url=sent["url"].replace("/invocations", "/invocations/")),
    "path decoded": lambda sent: sent.update(url=sent["url"].replace("%3A", ":")),
    "query": lambda sent: sent.update(url=sent["url"] + "&x=1"),
    "body": lambda sent: sent.update(content=INITIALIZE),
    "date": lambda sent: sent["headers"].update({"X-Amz-Date": "20200101T000000Z"}),
    "token": lambda sent: sent["headers"].update({"X-Amz-Security-Token": "another"}),
    "no token": lambda sent: sent["headers"].pop("X-Amz-Security-Token"),
    "no date": lambda sent: sent["headers"].pop("X-Amz-Date"),
    "signature": lambda sent: sent["headers"].update(Authorization=sent["headers"]["Authorization"][:-4] + "0000"),
    "region": lambda sent: sent["headers"].update(
        Authorization=sent["headers"]["Authorization"].replace("us-east-1", "us-west-2")
    ),
    "service": lambda sent: sent["headers"].update(
        Authorization=sent["headers"]["Authorization"].replace("bedrock-agentcore/", "execute-api/")
    ),
}


@pytest.mark.parametrize("breaking", SIGNED.values(), ids=SIGNED.keys())
def test_each_broken_part_of_a_signed_request_is_refused(caller: Caller, breaking: Callable[[Any], None]) -> None:
    url = caller.invocation_url("pharmacy_fraud_mcp")
    sent = {
        "method": "POST",
        "url": url,
        "content": LIST_TOOLS,
        "headers": caller.signed("POST", url, body=LIST_TOOLS),
    }
    assert HTTP.request(**sent).status_code == 200  # type: ignore[arg-type]
    breaking(sent)
    answer = HTTP.request(**sent)  # type: ignore[arg-type]
    assert answer.status_code == 403
    assert answer.json()["message"]


def test_keys_of_another_account_open_nothing(caller: Caller) -> None:
    url = caller.invocation_url("pharmacy_fraud_mcp")
    keys = caller.assume("arn:aws:iam::210987654321:role/discovery")
    answer = HTTP.post(url, content=LIST_TOOLS, headers=caller.signed("POST", url, body=LIST_TOOLS, **keys))
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


def test_expired_keys_are_refused_as_expired(caller: Caller) -> None:
    url = caller.invocation_url("pharmacy_fraud_mcp")
    headers = caller.signed("POST", url, body=LIST_TOOLS)
    caller.sandbox.admin.expire_credentials()
    answer = HTTP.post(url, content=LIST_TOOLS, headers=headers)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "ExpiredTokenException")


def test_the_other_kind_of_authorization_is_a_mismatch(caller: Caller, issuer: Issuer) -> None:
    bearer = {"Authorization": f"Bearer {issuer.token()}"}
    to_iam = HTTP.post(caller.invocation_url("pharmacy_fraud_mcp"), content=LIST_TOOLS, headers=bearer)
    assert to_iam.status_code == 403
    assert "mismatch" in to_iam.json()["message"]
    assert caller.post("invoice_matching_mcp").status_code == 403


def test_a_bearer_opens_a_jwt_agents_card(caller: Caller, issuer: Issuer) -> None:
    url = caller.card_url("ticket_triage_a2a")
    good = HTTP.get(url, headers={"Authorization": f"Bearer {issuer.token()}"})
    assert (good.status_code, good.json()["name"]) == (200, "ticket_triage_a2a")
    wrong = HTTP.get(url, headers={"Authorization": f"Bearer {issuer.token({**issuer.claims(), 'aud': 'x'})}"})
    assert (wrong.status_code, wrong.headers["x-amzn-errortype"]) == (401, "UnauthorizedException")
    assert "audience" in wrong.json()["message"].lower()


def test_allowed_clients_and_scopes_of_a_runtime_count(caller: Caller, issuer: Issuer) -> None:
    block: JsonObject = {**jwt_block(issuer.url), "allowedClients": ["hub"]}
    caller.sandbox.admin.add("client_bound", "A2A", authorizer={"customJWTAuthorizer": block})
    url = caller.card_url("client_bound")
    statuses = []
    for client_id in ("hub", "other"):
        token = issuer.token({**issuer.claims(), "client_id": client_id})
        statuses.append(HTTP.get(url, headers={"Authorization": f"Bearer {token}"}).status_code)
    assert statuses == [200, 401]


# The front door


@pytest.mark.parametrize(("length", "status"), [(32, 400), (33, 200)])
def test_a_session_id_has_at_least_33_characters(caller: Caller, length: int, status: int) -> None:
    name = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
    url = caller.invocation_url("pharmacy_fraud_mcp")
    headers = {**caller.signed("POST", url, body=LIST_TOOLS), name: "s" * length}
    answer = HTTP.post(url, content=LIST_TOOLS, headers=headers)
    assert answer.status_code == status
    assert answer.headers.get(name) == ("s" * length if status == 200 else None)


def test_an_unknown_runtime_or_endpoint_is_not_found(caller: Caller) -> None:
    known = caller.invocation_url("pharmacy_fraud_mcp")
    for url in (known.replace("pharmacy_fraud_mcp", "nobody"), known.replace("DEFAULT", "canary")):
        answer = HTTP.post(url, content=LIST_TOOLS, headers=caller.signed("POST", url, body=LIST_TOOLS))
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


def test_an_mcp_server_has_no_card_and_takes_only_posts(caller: Caller) -> None:
    assert caller.get_card("pharmacy_fraud_mcp").status_code == 404
    url = caller.invocation_url("pharmacy_fraud_mcp")
    assert HTTP.get(url, headers=caller.signed("GET", url)).status_code == 405
