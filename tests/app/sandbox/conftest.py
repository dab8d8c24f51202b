"""One running sandbox for the tests of this folder, an OIDC issuer, and a caller that signs with botocore."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast
from urllib.parse import quote

import boto3
import httpx
import jwt
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa

from core.strict_json import JsonObject
from sandbox.authorizers import AUDIENCE, jwt_authorizer
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox, start_sandbox

KEY_ID = "issuer-key-1"
LIST_TOOLS = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
# One client for all tests, because each new client loads certificates, which loopback does not need.
HTTP = httpx.Client(trust_env=False, timeout=30)


def jwt_block(hub_url: str) -> JsonObject:
    """Return the `customJWTAuthorizer` of the seeded JWT runtimes."""
    return cast("JsonObject", jwt_authorizer(hub_url)["customJWTAuthorizer"])


@dataclass(slots=True)
class Issuer:
    """An OIDC issuer on a loopback port: its documents, and tokens with its key."""

    url: str
    key: rsa.RSAPrivateKey
    key_ids: list[str]

    def claims(self) -> dict[str, Any]:
        """Return the claims of a token that the seeded JWT runtimes accept."""
        now = int(time.time())
        return {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "hub"}

    def token(self, claims: dict[str, Any] | None = None, *, key_id: str = KEY_ID, key: Any = None) -> str:
        """Return a signed token, by default a valid one."""
        return jwt.encode(claims or self.claims(), key or self.key, algorithm="RS256", headers={"kid": key_id})


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_ids = [KEY_ID]

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://{self.headers['Host']}"
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            jwks = {"keys": [{**public, "kid": key_id, "alg": "RS256", "use": "sig"} for key_id in key_ids]}
            documents = {
                "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/jwks"},
                "/jwks": jwks,
            }
            body = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Issuer(f"http://127.0.0.1:{server.server_address[1]}", key, key_ids)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def running(issuer: Issuer) -> Iterator[RunningSandbox]:
    with start_sandbox(hub_url=issuer.url) as sandbox:
        yield sandbox
    HTTP.close()


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    """Give the sandbox without planned faults; afterwards remove the runtimes that the test added."""
    before = {runtime["id"] for runtime in running.admin.runtimes()}
    running.admin.faults()
    running.admin.reset()
    yield running
    running.admin.faults()
    running.admin.latency(0)
    running.admin.lifetime(None)
    for runtime in running.admin.runtimes():
        if runtime["id"] not in before:
            running.admin.remove(str(runtime["id"]))


@cache
def _sts(url: str, **keys: str) -> Any:
    """Return the STS client that all tests share, because boto3 takes long to make one."""
    return boto3.client("sts", endpoint_url=url, region_name=REGION, **cast("Any", keys))


class Caller:
    """Calls the sandbox as a hub would, with boto3 and with requests signed by botocore."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self._assumed: dict[str, str] = {}
        self.keys = {
            "aws_access_key_id": sandbox.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": sandbox.environment["AWS_SECRET_ACCESS_KEY"],
        }

    def client(
        self, service: str, *, keys: dict[str, str] | None = None, attempts: int = 1, region: str = REGION
    ) -> Any:
        """Return a boto3 client with `keys`, by default the hub's own keys."""
        return boto3.client(
            cast("Any", service),
            endpoint_url=self.sandbox.url,
            region_name=region,
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
            **cast("Any", keys or self.keys),
        )

    def assume(self, role_arn: str = ROLE_ARN, **fields: Any) -> dict[str, str]:
        """Return the keys of an assumed role, as boto3's arguments."""
        answer = _sts(self.sandbox.url, **self.keys).assume_role(RoleArn=role_arn, RoleSessionName="fedhub", **fields)[
            "Credentials"
        ]
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def signed(self, method: str, url: str, *, body: bytes = b"", region: str = REGION, **keys: str) -> dict[str, str]:
        """Return the headers of a request that botocore signs with `keys`, by default the keys of an assumed role."""
        headers = {"host": httpx.URL(url).netloc.decode()}
        if body:
            headers |= {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        request = AWSRequest(method, url, data=body, headers=headers)
        if not keys:
            self._assumed = keys = self._assumed or self.assume()
        credentials = Credentials(*keys.values())
        SigV4Auth(credentials, "bedrock-agentcore", region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}

    def invocation_url(self, name: str, tail: str = "") -> str:
        """Return the data-plane address of the runtime with this name."""
        arn = str(self.sandbox.admin.get(name)["arn"])
        return f"{self.sandbox.url}/runtimes/{quote(arn, safe='')}/invocations{tail}?qualifier=DEFAULT"

    def card_url(self, name: str) -> str:
        """Return the address of the agent card of the runtime with this name."""
        return self.invocation_url(name, "/.well-known/agent-card.json")

    def post(self, name: str, body: bytes = LIST_TOOLS, **extra: str) -> httpx.Response:
        """Return the answer to one signed MCP request; `extra` headers are sent unsigned."""
        url = self.invocation_url(name)
        headers = self.signed("POST", url, body=body)
        return HTTP.post(url, content=body, headers={**headers, "mcp-protocol-version": "2025-06-18", **extra})

    def get_card(self, name: str) -> httpx.Response:
        """Return the answer to one signed request for an agent card."""
        url = self.card_url(name)
        return HTTP.get(url, headers=self.signed("GET", url))


@pytest.fixture
def caller(sandbox: RunningSandbox) -> Caller:
    return Caller(sandbox)
