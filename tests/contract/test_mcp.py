"""`/mcp` of a hub that granian serves, and the official SDK's client in each of its modes as its caller."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.shared.exceptions import MCPError

from tests.contract.demo_staff import Staff
from tests.contract.peer_hubs import Hub, template

pytestmark = [pytest.mark.timeout(240), pytest.mark.django_db(transaction=True)]

CALLBACK = "https://client.example/cb"
MODERN = "2026-07-28"
PASSWORD = "correct horse battery"
# Two federations with a server and an agent each; `admin` may see the first alone.
MAKE = f"""
from datetime import UTC, datetime
from django.contrib.auth.models import User
from django.core.management import call_command
from oauth2_provider.models import get_application_model
from core.actors import SCHEDULE
from core.tokens.services import issue_token
from federations.models import A2aAgent, AccessLevel, McpServer
from federations.services.access import grant
from federations.services.federations import create_federation
admin = User.objects.create_user("admin", password="{PASSWORD}", is_staff=True)
User.objects.create_superuser("root")
ids = []
for name in ("shown", "hidden"):
    config = {{"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/fedhub-discovery"}}
    federation = create_federation(provider_type="aws_agentcore", display_name=name, description=None, tags=[],
                                   by=SCHEDULE, provider_config=config)
    if name == "shown":
        grant(federation, level=AccessLevel.VIEW, user=admin)
    common = dict(federation=federation, runtime_arn="arn", runtime_version="1", access_mode="iam", region="us-east-1",
                  runtime_access={{"mode": "iam"}}, enriched_at=datetime.now(UTC), url="https://runtime.example/")
    tool = {{"name": f"lookup_{{name}}", "description": "Find a ledger", "inputSchema": {{"type": "object"}}}}
    server = McpServer.objects.create(server_name=f"ledger-{{name}}", path=f"/mcp/{{name}}", runtime_id=f"s{{name}}",
                                      tools=[tool], num_tools=1, **common)
    agent = A2aAgent.objects.create(name=f"triage-{{name}}", path=f"/a2a/{{name}}", runtime_id=f"a{{name}}",
                                    card={{"name": f"Ledger {{name}}", "version": "1"}}, card_name=f"Ledger {{name}}",
                                    **common)
    ids.append([federation.pk, server.pk, agent.pk])
model = get_application_model()
model.objects.create(user=admin, name="Desk", client_id="desk", client_type="public", redirect_uris="{CALLBACK}",
                     authorization_grant_type="authorization-code")
call_command("rebuild_search", verbosity=0)
tokens = {{name: issue_token(name, scopes=["federations-read"], days=1) for name in ("admin", "root")}}
tokens["writer"] = issue_token("root", scopes=["federations-write"], days=1)
out = [tokens, *ids]
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A hub with its tokens by name, and the ids of federation, server and agent of what is shown and hidden."""

    hub: Hub
    tokens: dict[str, str]
    shown: list[str]
    hidden: list[str]

    @property
    def url(self) -> str:
        return f"{self.hub.url}/mcp"

    def post(self, message: object, *, token: str = "admin", **headers: str) -> httpx.Response:
        """Send a message as a client of 2025-11-25 does."""
        sent = {"authorization": f"Bearer {self.tokens.get(token, token)}"} if token else {}
        sent |= {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return httpx.post(self.url, content=body, headers=sent, timeout=20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    hub = Hub("mcp", tmp_path_factory.mktemp("mcp"))
    hub.create(template(tmp_path_factory.mktemp("template")))
    tokens, shown, hidden = hub.do(MAKE)
    hub.start("web")
    yield Running(hub, tokens, shown, hidden)
    hub.kill()


Use = Callable[[Client], Awaitable[Any]]


def connected(running: Running, use: Use, *, mode: str = "auto", auth: Any = None) -> Any:
    """Connect the official client in `mode` and return what `use` returns."""
    headers = None if auth else {"Authorization": f"Bearer {running.tokens['admin']}"}

    async def connect() -> Any:
        async with (
            httpx2.AsyncClient(headers=headers, auth=auth, timeout=20) as http,
            Client(streamable_http_client(running.url, http_client=http), mode=mode) as client,
        ):
            return await use(client)

    return asyncio.run(connect())


def of_call(**params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", MODERN), (MODERN, MODERN)])
def test_the_sdks_client_sees_what_the_token_may_see_in_each_mode(running: Running, mode: str, version: str) -> None:
    async def use(client: Client) -> Any:
        assert client.protocol_version == version
        tools = (await client.list_tools()).tools
        assert all(tool.annotations and tool.annotations.read_only_hint and tool.output_schema for tool in tools)
        # The client validates each result against the tool's output schema.
        found = [
            await client.call_tool("search_registry", {"query": "ledger"}),
            await client.call_tool("list_federations", {}),
            await client.call_tool("describe", {"id": f"{running.shown[1]}:tool:0"}),
            await client.call_tool("describe", {"id": running.shown[2]}),
        ]
        listed = await client.list_resources()
        read = await client.read_resource(listed.resources[0].uri)
        with pytest.raises(MCPError, match="Nothing with this id"):
            await client.read_resource(f"fedhub://servers/{running.hidden[1]}")
        refused = await client.call_tool("describe", {"id": running.hidden[1]})
        assert refused.is_error
        templates = (await client.list_resource_templates()).resource_templates
        return [tool.name for tool in tools], found, [each.uri for each in listed.resources], read, templates

    names, found, uris, read, templates = connected(running, use, mode=mode)
    assert names == ["search_registry", "describe", "list_federations"]
    hits, federations, tool, agent = (result.structured_content for result in found)
    assert {hit["name"] for hit in hits["hits"]} == {"ledger-shown", "lookup_shown", "triage-shown"}
    assert [each["name"] for each in federations["federations"]] == ["shown"]
    assert tool["definition"]["inputSchema"] == {"type": "object"}
    assert (tool["owner"]["name"], agent["card"]["name"]) == ("ledger-shown", "Ledger shown")
    assert uris == [f"fedhub://servers/{running.shown[1]}", f"fedhub://agents/{running.shown[2]}"]
    assert json.loads(read.contents[0].text)["name"] == "ledger-shown"
    assert len(templates) == 2
    everything = repr((found, uris, read))
    assert not [secret for secret in ("hidden", *running.hidden) if secret in everything]


@dataclass(slots=True)
class Stored:
    """What the SDK's client keeps: a program that staff registered, and the tokens that it gets."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull:
        return OAuthClientInformationFull.model_validate(
            {"client_id": "desk", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        )

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise AssertionError("the hub has no registration of clients")


def test_a_bare_401_leads_the_client_to_the_sign_in_and_back(running: Running) -> None:
    storage, asked = Stored(), []

    async def redirect(address: str) -> None:
        asked.append(address)

    async def callback() -> AuthorizationCodeResult:
        return await asyncio.to_thread(allow, running.hub.url, asked[0])

    metadata = OAuthClientMetadata.model_validate({"redirect_uris": [CALLBACK]})
    auth = OAuthClientProvider(running.url, metadata, storage, redirect, callback)

    async def use(client: Client) -> list[str]:
        result = await client.call_tool("list_federations", {})
        assert result.structured_content is not None
        return [each["name"] for each in result.structured_content["federations"]]

    assert connected(running, use, auth=auth) == ["shown"]
    query = parse_qs(urlsplit(asked[0]).query)
    assert (query["resource"], query["scope"]) == ([running.url], ["federations-read"])
    assert query["code_challenge_method"] == ["S256"]
    # The token is for the MCP server, as the client asked, and not for the REST API.
    assert storage.tokens is not None
    bearer = {"authorization": f"Bearer {storage.tokens.access_token}"}
    assert httpx.get(f"{running.hub.url}/api/v1/federations", headers=bearer).status_code == 401


def allow(url: str, address: str) -> AuthorizationCodeResult:
    """Sign in, and press Allow on the page at `address`, as a person does in a browser."""
    with Staff(url, password=PASSWORD) as staff:
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', staff.client.get(address).text)[-1]
        form = {"csrfmiddlewaretoken": token, "allow": "1"}
        answer = staff.client.post(address, data=form, follow_redirects=False)
        assert answer.status_code == 302, answer.text[:1500]
    found = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    return AuthorizationCodeResult.model_validate(found)


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def test_a_session_a_bad_token_or_another_scope_is_refused_with_the_way_to_sign_in(running: Running) -> None:
    with Staff(running.hub.url, password=PASSWORD) as staff:
        cookie = "; ".join(f"{name}={value}" for name, value in staff.client.cookies.items())
    by_session = running.post(PING, token="", cookie=cookie)
    unknown, writer = running.post(PING, token="fedhub_unknown"), running.post(PING, token="writer")
    assert [each.status_code for each in (by_session, unknown, writer)] == [401, 401, 403]
    way = f'resource_metadata="{running.hub.url}/.well-known/oauth-protected-resource/mcp"'
    for refused, error in ((by_session, ""), (unknown, "invalid_token"), (writer, "insufficient_scope")):
        challenge = refused.headers["www-authenticate"]
        assert way in challenge
        assert 'scope="federations-read"' in challenge
        assert (f'error="{error}"' in challenge) if error else ("error" not in challenge)
    assert running.post(PING).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_hostile_requests_are_refused_and_the_hub_answers_on(running: Running) -> None:
    large = json.dumps(of_call(name="describe", arguments={"id": "x" * 1_100_000})).encode()
    deep = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    twice = b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'
    answers = {
        "large": (running.post(large), 413),
        "deep": (running.post(deep), 400),
        "twice": (running.post(twice), 400),
        "empty": (running.post(b""), 400),
        "not JSON": (running.post(b"<ping/>"), 400),
        "NUL": (running.post(of_call(name="describe", arguments={"id": "a\x00"})), 400),
        "batch": (running.post([PING, PING]), 400),
        "a number": (running.post(7), 400),
        "modern batch": (running.post([PING], mcp_protocol_version=MODERN, mcp_method="ping"), 400),
        "unknown revision": (running.post(PING, mcp_protocol_version="2099-01-01", mcp_method="ping"), 400),
        "a form": (running.post(PING, content_type="application/x-www-form-urlencoded"), 415),
        "text": (running.post(PING, content_type="text/plain"), 415),
        "compressed": (running.post(PING, content_encoding="gzip"), 415),
        "another page": (running.post(PING, origin="https://evil.example"), 403),
        "no page": (running.post(PING, origin="null"), 403),
        "another host": (running.post(PING, host="evil.example"), 400),
        "HTML": (running.post(PING, accept="text/html"), 406),
    }
    assert {name: answer.status_code for name, (answer, _) in answers.items()} == {
        name: status for name, (_, status) in answers.items()
    }
    for answer, _ in answers.values():
        assert answer.headers["content-type"].startswith("application/json")
        assert len(answer.content) < 2_000
        assert len(answer.headers["x-request-id"]) == 32
    bearer = {"authorization": f"Bearer {running.tokens['admin']}", "accept": "text/event-stream"}
    for method in ("GET", "DELETE", "PUT", "OPTIONS"):
        answer = httpx.request(method, running.url, headers=bearer, timeout=5)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert running.post({**PING, "method": "tools/burn"}).json()["error"]["code"] == -32601
    assert running.post(of_call(name="burn")).json()["error"]["code"] == -32602
    refused = running.post(of_call(name="search_registry", arguments={"query": "x", "limit": 101, "evil<b>": 1})).json()
    assert refused["result"]["isError"]
    assert "limit: " in refused["result"]["content"][0]["text"]
    assert running.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert running.post(PING, origin=running.hub.url).status_code == 200
    assert "Traceback" not in running.hub.log.read_text(encoding="utf-8")
