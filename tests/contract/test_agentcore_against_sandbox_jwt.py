"""Runtimes with a JWT authorizer: the sandbox fetches the hub's keys as AWS does, and checks every claim."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from core.oidc import documents
from core.oidc.signing_key import load_or_create
from federations.providers.agentcore import data_plane
from federations.providers.agentcore.bearer import BearerKey, mint
from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import DiscoveryRequest
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, Finding, JsonObject
from sandbox.client import SandboxClient
from tests.sandbox_server import REGION, ROLE_ARN, start_sandbox

Discover = Callable[[], Finding]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> BearerKey:
    made = load_or_create(tmp_path_factory.mktemp("oidc") / "key.pem")
    return BearerKey(made.kid, made.private_key)


@pytest.fixture(scope="module")
def issuer(key: BearerKey) -> Iterator[str]:
    """Serve the hub's two documents on a free port."""
    keys = documents.jwks(key.private_key.public_key())

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers: dict[str, object] = {documents.JWKS_PATH: keys, documents.DISCOVERY_PATH: documents.discovery(url)}
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(self.path)).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    url = f"http://127.0.0.1:{listener.server_address[1]}"
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield url
    listener.shutdown()
    listener.server_close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[SandboxClient, dict[str, str]]]:
    with start_sandbox(runtimes=0) as running:
        yield running.admin, running.environment


@pytest.fixture
def cloud(sandbox: tuple[SandboxClient, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    admin, environment = sandbox
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield admin
    for runtime in admin.runtimes():
        admin.remove(str(runtime["id"]))


@pytest.fixture
def authorizer(issuer: str) -> JsonObject:
    block: JsonObject = {
        "discoveryUrl": f"{issuer}{documents.DISCOVERY_PATH}",
        "allowedAudience": ["runtimes"],
        "allowedClients": ["hub"],
        "allowedScopes": ["invoke"],
    }
    return {"customJWTAuthorizer": block}


@pytest.fixture
def discover(cloud: SandboxClient, key: BearerKey) -> Discover:
    def run() -> Finding:
        provider = AgentCoreProvider(["*"], lambda: key)
        config: JsonObject = {"region": REGION, "assumeRoleArn": ROLE_ARN}
        (finding,) = provider.discover(DiscoveryRequest(config=config)).findings
        return finding

    return run


@pytest.mark.parametrize(("protocol", "kind"), [("MCP", EnrichedMcpServer), ("A2A", EnrichedAgent)])
def test_a_minted_token_opens_the_runtime(
    cloud: SandboxClient, discover: Discover, authorizer: JsonObject, protocol: str, kind: type
) -> None:
    cloud.add("claims", protocol, authorizer=authorizer)
    assert isinstance(discover(), kind)


Mint = Callable[..., str]


def with_claims(**changes: Any) -> Mint:
    """Mint well, then change or leave out claims and sign again."""

    def broken(*positional: Any, key: BearerKey, **wanted: Any) -> str:
        token = mint(*positional, key=key, **wanted)
        claims = jwt.decode(token, options={"verify_signature": False}) | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, key.private_key, algorithm="RS256", headers={"kid": key.kid})

    return broken


def at(shift: timedelta) -> Mint:
    def broken(*positional: Any, now: datetime, **wanted: Any) -> str:
        return mint(*positional, now=now + shift, **wanted)

    return broken


def with_other_key(path: Path) -> Mint:
    other = load_or_create(path / "other.pem")

    def broken(*positional: Any, key: BearerKey, **wanted: Any) -> str:
        return mint(*positional, key=BearerKey(key.kid, other.private_key), **wanted)

    return broken


def with_kid(kid: str) -> Mint:
    def broken(*positional: Any, key: BearerKey, **wanted: Any) -> str:
        return mint(*positional, key=BearerKey(kid, key.private_key), **wanted)

    return broken


def hmac_token(*positional: Any, key: BearerKey, **wanted: Any) -> str:
    claims = jwt.decode(mint(*positional, key=key, **wanted), options={"verify_signature": False})
    return jwt.encode(claims, "s" * 32, algorithm="HS256", headers={"kid": key.kid})


def tampered(*positional: Any, **wanted: Any) -> str:
    header, claims, signature = mint(*positional, **wanted).split(".")
    return f"{header}.{claims}.{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (with_claims(iss="https://other.example"), "InvalidIssuerError"),
        (with_claims(iss=None), "iss"),
        (with_claims(aud="others"), "InvalidAudienceError"),
        (with_claims(aud=None), "aud"),
        (with_claims(exp=None), "exp"),
        (with_claims(iat=None), "iat"),
        (with_claims(client_id="stranger"), "client_id"),
        (with_claims(client_id=None), "client_id"),
        (with_claims(scope="other"), "scope"),
        (with_claims(scope=None), "scope"),
        (at(timedelta(minutes=-10)), "ExpiredSignatureError"),
        (at(timedelta(minutes=10)), "ImmatureSignatureError"),
        (with_kid("unknown"), "not in the issuer's JWKS"),
        (hmac_token, "only RS256 is accepted"),
        (tampered, "InvalidSignatureError"),
        (lambda *positional, **wanted: "no.token.here", "DecodeError"),
    ],
)
def test_each_broken_ingredient_of_a_token_is_refused_and_explained(
    cloud: SandboxClient,
    discover: Discover,
    authorizer: JsonObject,
    monkeypatch: pytest.MonkeyPatch,
    broken: Mint,
    reason: str,
) -> None:
    cloud.add("claims", "MCP", authorizer=authorizer)
    monkeypatch.setattr(data_plane, "mint", broken)
    failed = discover()
    assert isinstance(failed, FailedRuntime)
    assert failed.error.startswith("enrichment failed: 401 Unauthorized: OAuth authorization failed: ")
    assert reason in failed.error
    monkeypatch.setattr(data_plane, "mint", mint)
    assert isinstance(discover(), EnrichedMcpServer)


def test_another_key_under_the_same_name_is_refused(
    cloud: SandboxClient, discover: Discover, authorizer: JsonObject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud.add("claims", "MCP", authorizer=authorizer)
    monkeypatch.setattr(data_plane, "mint", with_other_key(tmp_path))
    failed = discover()
    assert isinstance(failed, FailedRuntime)
    assert "InvalidSignatureError" in failed.error
