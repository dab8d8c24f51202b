"""A sign-in provider that answers as a test tells it: right, or forged in one place."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

ALGORITHM = "ES256"


class Provider:
    """The state of a provider; its attributes and `id_token` say what it answers."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = ECKey.generate_key("P-256", {"kid": "1"})
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "authorization_response_iss_parameter_supported": True,
        }
        self.userinfo: dict[str, Any] = {}
        self.codes: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self.signing_key: ECKey | OctKey = self.key
        self.algorithm = ALGORITHM
        self.leaves_out_id_token = False
        self.requests: list[str] = []

    def issue(self, asked: dict[str, str], **claims: Any) -> str:
        """Return a code for an authorization request; `claims` replace those of the ID token, None removes one."""
        code = secrets.token_urlsafe(8)
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "ada-1",
            "aud": asked["client_id"],
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": asked["nonce"],
        }
        told = {name: value for name, value in (right | claims).items() if value is not None}
        self.codes[code] = (asked, told)
        return code

    def answer_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer the token endpoint: a code works once, and with its PKCE verifier and redirect URI alone."""
        asked, claims = self.codes.pop(form["code"], ({}, {}))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
        return 200, answer if self.leaves_out_id_token else answer | {"id_token": self.sign(claims)}

    def sign(self, claims: dict[str, Any]) -> str:
        if self.algorithm == "none":
            parts = ({"alg": "none", "kid": "1"}, claims)
            return (
                ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
                + "."
            )
        return jwt.encode(
            {"alg": self.algorithm, "kid": str(self.signing_key.kid)},
            claims,
            self.signing_key,
            algorithms=[self.algorithm],
        )


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Serve a provider on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            documents = {
                "/.well-known/openid-configuration": provider.metadata,
                "/jwks": {"keys": [provider.key.as_dict(private=False)]},
                "/userinfo": provider.userinfo,
            }
            self.reply(200, documents[path])

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.reply(*provider.answer_token({name: values[0] for name, values in form.items()}))

        def reply(self, status: int, document: dict[str, Any]) -> None:
            provider.requests.append(self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def start(client: Client, name: str = "one", **query: str) -> dict[str, str]:
    """Start a sign-in at a provider; return the parameters that the hub sends there."""
    response = client.get(f"/admin/sign-in/with/{name}/", query)
    assert response.status_code == 302, response.content
    asked = parse_qs(urlsplit(response["Location"]).query)
    return {name: values[0] for name, values in asked.items()}


def come_back(client: Client, asked: dict[str, str], code: str, iss: str, name: str = "one") -> Any:
    """Call the hub's callback as the browser does, which the provider sends back; follow no redirect."""
    query = {"code": code, "state": asked["state"], "iss": iss}
    return client.get(f"/admin/sign-in/with/{name}/callback/", {key: value for key, value in query.items() if value})


def sign_in(client: Client, provider: Provider, name: str = "one", **claims: Any) -> Any:
    """Sign in at a provider that answers with these claims."""
    asked = start(client, name)
    return come_back(client, asked, provider.issue(asked, **claims), provider.issuer, name)


def is_signed_in(client: Client) -> bool:
    """Tell whether the admin answers with a page and not with the way to the log-in page."""
    return client.get("/admin/").status_code == 200
