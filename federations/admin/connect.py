"""Ready texts with which a program or a client connects to a server or an agent, by its protocol and its authorizer.

The texts are programs, commands and configuration files. Each value of the resource is quoted for the language of the
text, because a name or an address may hold any character.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from federations.admin.catalog_view import as_json
from federations.admin.connect_texts import (
    A2A_BOTO3,
    A2A_PYTHON,
    AWS_AUTH,
    BEARER_AUTH,
    BOTOCORE_IMPORTS,
    CARD_BOTO3,
    MCP_BOTO3,
    MCP_PYTHON,
)
from federations.models import A2aAgent, McpServer
from federations.sync.agent_cards import with_json_names
from federations.sync.resources import Json, JsonObject

MODERN = "2026-07-28"
SERVICE = "bedrock-agentcore"
LIST_TOOLS: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
MODERN_META: JsonObject = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "example", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN_LIST_TOOLS: JsonObject = {**LIST_TOOLS, "params": {"_meta": MODERN_META}}
MESSAGE_ID = "a-message-id-of-your-own"
WITH_IAM = "The caller signs with AWS credentials that may invoke this runtime (bedrock-agentcore:InvokeAgentRuntime)."
PROXY = "For clients that read a mcp.json. The proxy of AWS signs each request; it needs uv and AWS credentials."

OPEN = "For clients that read a mcp.json. The registry names no credentials for this server."


@dataclass(frozen=True, slots=True)
class Snippet:
    """One text to copy: its title, what it needs, and its language (`python`, `json` or `shell`)."""

    title: str
    note: str
    language: str
    text: str


def snippets_of(resource: McpServer | A2aAgent) -> list[Snippet]:
    """Return the texts for a resource, the most usual one first; none for a resource without an address."""
    if not resource.url:
        return []
    is_jwt = resource.access_mode == "jwt"
    if resource.access_mode == "none":
        return [_mcp_json(resource, OPEN, {"type": "http", "url": resource.url})]
    if isinstance(resource, McpServer):
        return list(_mcp_jwt(resource) if is_jwt else _mcp_iam(resource))
    return list(_a2a_jwt(resource) if is_jwt else _a2a_iam(resource))


def _mcp_iam(server: McpServer) -> Iterator[Snippet]:
    arguments: list[Json] = ["mcp-proxy-for-aws@latest", server.url, "--service", SERVICE, "--region", server.region]
    # The proxy looks for a region of its own, which it does not find in every address.
    yield _mcp_json(server, PROXY, {"command": "uvx", "args": arguments, "env": {"AWS_REGION": server.region}})
    yield Snippet("Python, the official MCP SDK", WITH_IAM, "python", _python(MCP_PYTHON, server, AWS_AUTH, "httpx2"))
    modern = server.protocol_version == MODERN
    payload = MODERN_LIST_TOOLS if modern else LIST_TOOLS
    headers = f'    mcpProtocolVersion="{MODERN}",\n    mcpMethod="tools/list",\n' if modern else ""
    boto3 = _filled(MCP_BOTO3, server, payload=_python_value(payload), headers=headers)
    yield Snippet("Python, boto3 InvokeAgentRuntime", WITH_IAM, "python", boto3)
    extra = ["--mcp-protocol-version", MODERN, "--mcp-method", "tools/list"] if modern else []
    yield _aws_cli(server, payload, extra)


def _mcp_jwt(server: McpServer) -> Iterator[Snippet]:
    note = _token_note(server)
    entry: JsonObject = {"type": "http", "url": server.url, "headers": {"Authorization": "Bearer PASTE-A-TOKEN-HERE"}}
    yield _mcp_json(server, f"For clients that read a mcp.json. {note}", entry)
    yield Snippet("Python, the official MCP SDK", note, "python", _python(MCP_PYTHON, server, BEARER_AUTH, "httpx2"))
    modern = server.protocol_version == MODERN
    payload = MODERN_LIST_TOOLS if modern else LIST_TOOLS
    extra = [f"Mcp-Protocol-Version: {MODERN}", "Mcp-Method: tools/list"] if modern else []
    yield _curl(server, note, payload, ["Accept: application/json, text/event-stream", *extra])


def _a2a_iam(agent: A2aAgent) -> Iterator[Snippet]:
    payload, revision = _message(agent)
    note = WITH_IAM + _header_note(revision)
    yield Snippet("Python, the official A2A SDK", note, "python", _python(A2A_PYTHON, agent, AWS_AUTH, "httpx"))
    boto3 = _filled(A2A_BOTO3, agent, payload=_python_value(payload), revision=_python_value(revision))
    yield Snippet("Python, boto3 InvokeAgentRuntime", note, "python", boto3)
    yield Snippet("Python, boto3 GetAgentCard", WITH_IAM, "python", _filled(CARD_BOTO3, agent))
    if revision.startswith("0."):
        # The command line cannot send the header A2A-Version, without which an agent answers as A2A 0.3.
        yield _aws_cli(agent, payload, [])


def _a2a_jwt(agent: A2aAgent) -> Iterator[Snippet]:
    payload, revision = _message(agent)
    note = _token_note(agent) + _header_note(revision)
    yield Snippet("Python, the official A2A SDK", note, "python", _python(A2A_PYTHON, agent, BEARER_AUTH, "httpx"))
    yield _curl(agent, note, payload, [f"A2A-Version: {revision}"])
    card = ["curl", "--fail-with-body", f"{_base(agent)}/.well-known/agent-card.json"]
    yield Snippet("curl, the agent card", note, "shell", f'{shlex.join(card)} \\\n  -H "Authorization: Bearer $TOKEN"')


def _mcp_json(server: McpServer | A2aAgent, note: str, entry: JsonObject) -> Snippet:
    return Snippet("mcp.json", note, "json", as_json({"mcpServers": {server.name: entry}}))


def _message(agent: A2aAgent) -> tuple[JsonObject, str]:
    """Return a request that sends a text to the agent, in the form of its A2A revision, and that revision."""
    if _revision(agent).startswith("0."):
        part: JsonObject = {"kind": "text", "text": "Hello"}
        message: JsonObject = {"kind": "message", "role": "user", "parts": [part], "messageId": MESSAGE_ID}
        return {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}, "0.3"
    message = {"role": "ROLE_USER", "parts": [{"text": "Hello"}], "messageId": MESSAGE_ID}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}, "1.0"


def _header_note(revision: str) -> str:
    return "" if revision.startswith("0.") else " The runtime's requestHeaderAllowlist must name A2A-Version."


def _revision(agent: A2aAgent) -> str:
    """Return the A2A revision to use: 0.x if the card offers it, since AgentCore may withhold the header A2A-Version.

    A card without a revision is of A2A 0.x, in which it may be missing.
    """
    card = with_json_names(agent.card)
    listed: Any = card.get("supportedInterfaces")
    interfaces = listed if isinstance(listed, list) else []
    found = [each.get("protocolVersion") for each in interfaces if isinstance(each, dict)]
    texts = [text for text in (card.get("protocolVersion"), *found) if isinstance(text, str) and text]
    older = [text for text in texts if text.startswith("0.")]
    return max(older or texts, default="1.0" if found else "0.3")


def _aws_cli(resource: McpServer | A2aAgent, payload: JsonObject, extra: Sequence[str]) -> Snippet:
    options = [
        ["--region", resource.region],
        ["--agent-runtime-arn", resource.runtime_arn],
        ["--qualifier", "DEFAULT"],
        ["--content-type", "application/json"],
        ["--accept", "application/json, text/event-stream"],
        *([extra] if extra else []),
        ["--cli-binary-format", "raw-in-base64-out"],
        ["--payload", json.dumps(payload)],
        ["answer.json"],
    ]
    lines = [f"aws {SERVICE} invoke-agent-runtime", *map(shlex.join, options)]
    note = "AWS CLI 2; the answer is written to answer.json."
    return Snippet("AWS CLI", note, "shell", " \\\n  ".join(lines))


def _curl(resource: McpServer | A2aAgent, note: str, payload: JsonObject, headers: Sequence[str]) -> Snippet:
    lines = [
        shlex.join(["curl", "--fail-with-body", resource.url]),
        '-H "Authorization: Bearer $TOKEN"',
        *(shlex.join(["-H", header]) for header in ("Content-Type: application/json", *headers)),
        shlex.join(["--data", json.dumps(payload)]),
    ]
    return Snippet("curl", note, "shell", " \\\n  ".join(lines))


def _token_note(resource: McpServer | A2aAgent) -> str:
    """Return which token a caller needs, in words."""
    found = resource.runtime_access.get("jwt") if isinstance(resource.runtime_access, dict) else None
    jwt: dict[str, Any] = found if isinstance(found, dict) else {}
    wanted = [
        f"{wording} {', '.join(map(str, jwt[key]))}"
        for key, wording in (("audiences", "audience"), ("allowedScopes", "scope"), ("allowedClients", "client"))
        if isinstance(jwt.get(key), list) and jwt[key]
    ]
    ending = f" with {'; '.join(wanted)}" if wanted else ""
    issuer = str(jwt.get("discoveryUrl") or "its authorizer").removesuffix("/.well-known/openid-configuration")
    return f"TOKEN is a JWT of the issuer {issuer}{ending}."


def _python(text: Template, resource: McpServer | A2aAgent, auth: Template, httpx: str) -> str:
    values = {"region": _python_value(resource.region), "httpx": httpx}
    sdk = "mcp>=2" if isinstance(resource, McpServer) else "a2a-sdk>=1"
    is_jwt = resource.access_mode == "jwt"
    own = {
        "install": f'pip install "{sdk}"' if is_jwt else f'pip install "{sdk}" boto3',
        "first": "import asyncio\nimport os" if is_jwt else "import asyncio",
        "boto3": "" if is_jwt else "import boto3\n",
        "botocore": "" if is_jwt else BOTOCORE_IMPORTS,
        "setup": "" if is_jwt else f"\n\n{auth.substitute(values).strip()}",
        "client": auth.substitute(values).strip() if is_jwt else "auth=AwsAuth()",
    }
    return _filled(text, resource, **own)


def _filled(text: Template, resource: McpServer | A2aAgent, **values: str) -> str:
    own = {
        "url": _python_value(resource.url),
        "base": _python_value(_base(resource)),
        "arn": _python_value(resource.runtime_arn),
        "region": _python_value(resource.region),
    }
    return text.substitute(own | values).strip()


def _base(resource: McpServer | A2aAgent) -> str:
    """Return the invocation URL without its query, below which the agent card is."""
    return resource.url.partition("?")[0].rstrip("/")


def _python_value(value: Json) -> str:
    """Return a JSON value of texts, numbers, lists and objects as a Python literal; it has no null and no boolean."""
    return json.dumps(value)
