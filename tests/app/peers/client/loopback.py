"""Both clients, and the requests that their server received."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request

from core.strict_json import parse_json_object
from peers.client import AsyncFederationClient, FederationClient
from peers.protocol import (
    JsonObject,
    ServerIdentity,
    VerifiedRequest,
    verify_request,
)
from peers.protocol.compat import unix_now
from tests.pure.protocol.vectors import PARTNER, partner

API = "/api/v1/federation"


RECEIVED: JsonObject = {"dispatch_id": "d-1", "accepted": True, "local_intent_id": "fed-d-1", "message": "ok"}


DISPATCHED: JsonObject = {
    "dispatch_id": "d-1",
    "status": "accepted",
    "target_server": PARTNER,
    "message": "Dispatch initiated",
}


Client = FederationClient | AsyncFederationClient


def url_of(server: HTTPServer) -> str:
    """Return the server's base URL in the form that a peer uses."""
    return f"http://127.0.0.1:{server.port}"


def sync_client(server: HTTPServer, api_key: str | None = None, identity: ServerIdentity | None = None) -> Client:
    """Return the synchronous client."""
    return FederationClient(url_of(server), api_key, identity=identity, timeout_seconds=5)


def async_client(server: HTTPServer, api_key: str | None = None, identity: ServerIdentity | None = None) -> Client:
    """Return the asynchronous client."""
    return AsyncFederationClient(url_of(server), api_key, identity=identity, timeout_seconds=5)


both = pytest.mark.parametrize("make", [sync_client, async_client], ids=["sync", "async"])


Make = Callable[..., Client]


def answer(client: Client, call: Callable[[Client], object]) -> object:
    """Run one call of either client and close it."""

    async def run() -> object:
        try:
            result = call(client)
            return await result if isawaitable(result) else result
        finally:
            closed = client.close()
            if isawaitable(closed):
                await closed

    return asyncio.run(run())


def sent(server: HTTPServer) -> Request:
    """Return the last request that the server received."""
    return server.log[-1][0]


def body_of(request: Request) -> JsonObject:
    """Return the JSON object of the last request."""
    return parse_json_object(request.get_data())


def verified(request: Request, target_uri: str) -> VerifiedRequest:
    """Verify the signature of the last request, as a hub does with its own URL."""
    return verify_request(
        method=request.method,
        target_uri=target_uri,
        headers=dict(request.headers),
        body=request.get_data(),
        resolve_keys=lambda keyid: partner.verification_keys if keyid == partner.did else (),
        now=unix_now(),
    )
