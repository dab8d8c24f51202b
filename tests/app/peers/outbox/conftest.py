"""A partner's hub on loopback that gives a test's answers, and that this hub has approved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.actors import Actor
from peers.models import Dispatch, HandlerEvent, OutboundCallback, Peer, ReceivedDispatch
from peers.protocol import DelegationScope, HubIdentity, JsonObject, SigningKey
from peers.services.catalog.intents import create_intent
from peers.services.outbox.dispatch import create_dispatch
from peers.services.trust.peers import add_peer, approve_peer

STAFF = Actor(id="1", name="operator")
KEY = SigningKey(b"k" * 32)
CALLBACK_PATH = "/api/v1/federation/callback"
RECEIVE_PATH = "/api/v1/federation/receive"


@dataclass
class Partner:
    """The partner's server: its next answers, and the requests that it got."""

    url: str
    peer: Peer
    answers: list[Response] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answers_with: Callable[[Request], Response] | None = None

    def answer(self, status: int, body: str = "{}", **headers: str) -> None:
        """Give this answer once; after the last such answer the partner accepts every request."""
        self.answers.append(Response(body, status, headers=headers, content_type="application/json"))

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        request.get_data()
        self.requests.append(request)
        if self.answers_with:
            return self.answers_with(request)
        if self.answers:
            return self.answers.pop(0)
        accepted = '{"dispatch_id": "d", "accepted": true, "local_intent_id": "fed-1", "message": "taken"}'
        return Response(accepted, 200, content_type="application/json")

    def dispatch(self, **fields: Any) -> Dispatch:
        """Have staff dispatch an intent to the partner."""
        values: dict[str, Any] = {"intent_id": "i-1", "target_server": self.url, "by": STAFF}
        return create_dispatch(**values | fields)

    def received(self, **fields: Any) -> ReceivedDispatch:
        """Store work that the partner sent to this hub."""
        number = ReceivedDispatch.objects.count()
        values: dict[str, Any] = {
            "peer": self.peer,
            "dispatch_id": f"remote-{number}",
            "body_digest": "0" * 64,
            "intent": create_intent(title="Theirs", state={"phase": "draft"}, by=STAFF),
            "accepted": True,
            "envelope": {},
            "scope": DelegationScope().to_dict(),
            "policy": {},
            "callback_url": self.url + CALLBACK_PATH,
        }
        return ReceivedDispatch.objects.create(**values | fields)


@pytest.fixture
def partner(db: None, httpserver: HTTPServer, settings: LazySettings) -> Iterator[Partner]:
    """The approved partner."""
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    url = f"http://127.0.0.1:{httpserver.port}"
    peer = add_peer(url, by=STAFF, public_key=KEY.verification_key.base64)
    approve_peer(peer, key_fingerprint=peer.keys.get().fingerprint, by=STAFF)
    made = Partner(url, peer)
    for path in (RECEIVE_PATH, CALLBACK_PATH):
        httpserver.expect_request(path, method="POST").respond_with_handler(made.handle)
    yield made
    httpserver.clear()


def make_due(*rows: Dispatch | OutboundCallback | HandlerEvent) -> None:
    """End the pauses of waiting rows."""
    for row in rows:
        type(row)._default_manager.filter(pk=row.pk, due_at__isnull=False).update(
            due_at=timezone.now() - timedelta(seconds=1)
        )


def fresh(row: Any) -> Any:
    """Return the row from the database."""
    return type(row)._default_manager.get(pk=row.pk)


def identity_of(partner: Partner) -> HubIdentity:
    """Return the partner's identity."""
    return HubIdentity(partner.url, private_key_bytes=b"k" * 32)


def json_of(request: Request) -> JsonObject:
    """Return a request's JSON object."""
    body: JsonObject = request.get_json()
    return body
