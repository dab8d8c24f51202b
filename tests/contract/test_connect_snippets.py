"""The texts to connect with, run as they stand: each program and command against the sandbox, with real clients."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from federations.admin.connect import Snippet, snippets_of
from federations.models import A2aAgent, McpServer
from tests.app.sandbox.conftest import Caller, Issuer, issuer  # noqa: F401 (a fixture)
from tests.sandbox_server import RunningSandbox, start_sandbox

HOSTILE = "\"; import os; os.abort() #'$(reboot)`\n\\"
ISSUER = "https://id.example/.well-known/openid-configuration"
JWT = {"mode": "jwt", "jwt": {"discoveryUrl": ISSUER, "audiences": ["a"]}}


def resource(kind: type[Any], name: str, url: str, arn: str, *, jwt: bool = False, **columns: Any) -> Any:
    own = {"server_name" if kind is McpServer else "name": name, "url": url, "runtime_arn": arn, "region": "us-east-1"}
    access = JWT if jwt else {"mode": "iam"}
    return kind(access_mode=access["mode"], runtime_access=access, **own, **columns)


@pytest.mark.parametrize("text", ["plain", HOSTILE])
@pytest.mark.parametrize("jwt", [False, True])
@pytest.mark.parametrize("columns", [{}, {"protocol_version": "2026-07-28"}])
def test_each_text_is_valid_in_its_language_and_quotes_its_values(text: str, jwt: bool, columns: Any) -> None:
    url = f"https://example.com/{text}?qualifier=DEFAULT"
    found = [*snippets_of(resource(McpServer, text, url, f"arn:{text}", jwt=jwt, **columns))]
    for card in ({}, {"supportedInterfaces": [{"protocolVersion": "1.0"}]}):
        found += snippets_of(resource(A2aAgent, text, url, f"arn:{text}", jwt=jwt, card=card))

    assert {snippet.language for snippet in found} == {"python", "json", "shell"}
    for snippet in found:
        if snippet.language == "python":
            calls = [node for node in ast.walk(ast.parse(snippet.text)) if isinstance(node, ast.Call)]
            assert not any("abort" in ast.unparse(call.func) for call in calls)
        elif snippet.language == "json":
            (entry,) = json.loads(snippet.text)["mcpServers"].values()
            assert url in (entry.get("url"), *entry.get("args", ()))
        else:
            words = shlex.split(snippet.text)
            assert any(text in word for word in words) and "reboot" not in words


def test_a_resource_without_an_address_has_no_texts() -> None:
    assert snippets_of(resource(McpServer, "n", "", "arn")) == []


@pytest.fixture(scope="module")
def running(issuer: Issuer) -> Iterator[RunningSandbox]:  # noqa: F811
    with start_sandbox(hub_url=issuer.url) as sandbox:
        yield sandbox


def runtime_of(sandbox: RunningSandbox, name: str) -> tuple[str, str]:
    arn = str(sandbox.admin.get(name)["arn"])
    return f"{sandbox.url}/runtimes/{quote(arn, safe='')}/invocations?qualifier=DEFAULT", arn


def environment_of(sandbox: RunningSandbox, token: str) -> dict[str, str]:
    keys = {name.upper(): value for name, value in Caller(sandbox).assume().items()}
    return {**os.environ, **keys, "AWS_ENDPOINT_URL": sandbox.url, "NO_PROXY": "127.0.0.1", "TOKEN": token}


def run(snippet: Snippet, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", snippet.text] if snippet.language == "python" else ["sh", "-c", snippet.text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{snippet.title}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.timeout(180)
def test_the_programs_and_commands_reach_the_runtimes(running: RunningSandbox, issuer: Issuer) -> None:  # noqa: F811
    environment = environment_of(running, issuer.token())
    tools = [str(each) for each in running.admin.get("pharmacy_fraud_mcp")["tools"]]  # type: ignore[union-attr]
    card = {"supportedInterfaces": [{"protocolVersion": "1.0"}]}
    modern: dict[str, Any] = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
    running.admin.add("modern_a2a", "A2A", **modern)
    running.admin.patch("ticket_triage_a2a", **modern)
    resources: list[tuple[Any, str]] = [
        (resource(McpServer, "m", *runtime_of(running, "pharmacy_fraud_mcp")), tools[0]),
        (resource(McpServer, "j", *runtime_of(running, "invoice_matching_mcp"), jwt=True), "match_invoice"),
        (resource(A2aAgent, "t", *runtime_of(running, "ticket_triage_a2a"), jwt=True, card=card), "ticket_triage_a2a"),
        (resource(A2aAgent, "a", *runtime_of(running, "modern_a2a"), card=card), "modern_a2a"),
        (resource(A2aAgent, "a", *runtime_of(running, "code_review_a2a"), card={}), "code_review_a2a"),
    ]
    said: dict[str, str] = {}
    for found, expected in resources:
        for snippet in snippets_of(found):
            is_run = snippet.language == "python" or (snippet.text.startswith("curl") and shutil.which("curl"))
            # The programs of a runtime differ between A2A 0.3 and 1.0 only where the text does.
            if is_run and snippet.text not in said:
                said[snippet.text] = run(snippet, environment)
                assert expected in said[snippet.text], snippet.title
