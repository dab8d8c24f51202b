"""A partner's hub on the wire: signed envelopes and requests, and the changes that an attacker makes to them."""

from __future__ import annotations

import json
import uuid
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.apps import apps
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from core.actors import Actor
from fedhub.message_handler import together_handlers
from peers.models import KeyOrigin, Peer
from peers.protocol import DelegationScope, HubIdentity, SigningKey, UcanClaims, sign_envelope, sign_request
from peers.protocol.compat import make_nonce
from peers.protocol.ucan import encode_token
from peers.services.trust import peer_cache
from peers.services.trust.keys import propose_key
from peers.services.trust.peers import add_peer, approve_peer
from peers.services.trust.proofs import look_up_source

OPERATOR = Actor(id="1", name="operator")
HUB = "http://127.0.0.1:8000"
HUB_DID = "did:web:127.0.0.1%3A8000"
RECEIVE = "/api/v1/federation/receive"
SHOWN_KEY = "HTTP_X_OPENINTENT_PUBLIC_KEY"
UCAN = "HTTP_X_OPENINTENT_UCAN"


@dataclass
class Partner:
    """A hub with a key of its own. Its messages are valid unless a test changes them."""

    url: str
    seed: bytes

    @property
    def identity(self) -> HubIdentity:
        """Return the partner's identity."""
        return HubIdentity(self.url, private_key_bytes=self.seed)

    @property
    def key(self) -> SigningKey:
        """Return the partner's private key."""
        return self.identity.signing_key()

    def propose(self, **values: Any) -> Peer:
        """Have staff add the partner, with its key as a proposal."""
        peer = add_peer(self.url, by=OPERATOR, **values)
        propose_key(peer, self.key.verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
        return peer

    def approve(self, **values: Any) -> Peer:
        """Have staff add and approve the partner."""
        peer = self.propose(**values)
        approve_peer(peer, key_fingerprint=self.key.verification_key.fingerprint, by=OPERATOR)
        return peer

    def envelope(self, **changes: Any) -> dict[str, Any]:
        """Return an unsigned envelope; a change to `...` leaves the member out."""
        values = {
            "dispatch_id": str(uuid.uuid4()),
            "source_server": self.url,
            "target_server": HUB,
            "intent_id": "intent-1",
            "intent_title": "Research task",
            "intent_description": "",
            "intent_state": {"phase": "draft"},
            "intent_constraints": {},
            "created_at": datetime.now(UTC).isoformat(),
        }
        return {name: value for name, value in (values | changes).items() if value is not ...}

    def sign(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Return the envelope with this hub's signature."""
        return envelope | {"signature": sign_envelope(self.identity, envelope)}

    def signed(self, **changes: Any) -> dict[str, Any]:
        """Return a signed envelope."""
        return self.sign(self.envelope(**changes))

    def headers(self, body: bytes, *, path: str = RECEIVE, method: str = "POST", **changes: Any) -> dict[str, str]:
        """Return the headers of a signed request, in the form of Django's test client."""
        values: dict[str, Any] = {
            "keyid": self.identity.did,
            "target_uri": HUB + path,
            "created": int(datetime.now(UTC).timestamp()),
            "nonce": make_nonce(),
        }
        signed = sign_request(self.key, method=method, body=body, **(values | changes))
        return as_meta(signed)

    def ucan(self, **changes: Any) -> str:
        """Return a token of one link: the partner grants it to the hub under test, and presents it."""
        now = int(datetime.now(UTC).timestamp())
        values: dict[str, Any] = {
            "issuer": self.identity.did,
            "audience": HUB_DID,
            "scope": DelegationScope(),
            "not_before": now - 60,
            "expires_at": now + 3600,
            "nonce": make_nonce(),
        }
        return encode_token(UcanClaims(**(values | changes)).to_dict(), self.key.sign)


def as_meta(headers: dict[str, str]) -> dict[str, str]:
    """Return headers under the names that WSGI gives them; the test client sets the content type itself."""
    return {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items() if name != "Content-Type"
    }


def body_of(message: object) -> bytes:
    """Return the bytes of a message."""
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def send(message: object, headers: dict[str, str] | None = None, *, path: str = RECEIVE, **meta: Any) -> Any:
    """POST a message and return the answer."""
    body, meta = body_of(message), meta | (headers or {})
    if is_answered_together.get() and (answer := _answered_together(path, body, meta)):
        return answer
    client = Client(raise_request_exception=False)
    return client.post(path, body, content_type="application/json", **meta)


is_answered_together: ContextVar[bool] = ContextVar("is_answered_together", default=False)
"""Set while `send` gives each message first to the handler of many messages, a moment after a good one of its peer."""


def _answered_together(path: str, body: bytes, meta: dict[str, Any]) -> HttpResponse | None:
    if path not in together_handlers():
        return None
    _remember_sender(body)
    environ = RequestFactory().generic("POST", path, body, content_type="application/json", **meta).environ
    (answer,), nudge = together_handlers()[path].answer_all([(environ, copy_context())])
    if answer is None:
        return None
    if nudge:
        nudge()
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    response: Any = HttpResponse(answer.body, status=answer.status, headers=headers)
    response.json = lambda: json.loads(answer.body)
    return cast(HttpResponse, response)


def _remember_sender(body: bytes) -> None:
    try:
        source = look_up_source(json.loads(body)["source_server"], timezone.now())
    except Exception:  # noqa: BLE001 - an attacker's body; the hub judges it
        return
    peer_cache.remember(source)


def get(path: str, headers: dict[str, str] | None = None) -> Any:
    """GET and return the answer."""
    meta: dict[str, Any] = dict(headers or {})
    return Client(raise_request_exception=False).get(path, **meta)


def deliver(partner: Partner, message: dict[str, Any], **changes: Any) -> Any:
    """POST a message signed both ways, as this product's hubs do."""
    body = body_of(message)
    return send(body, partner.headers(body, **changes))


def everything_stored() -> dict[str, list[dict[str, Any]]]:
    """Return every row of the app, for a comparison of before and after."""
    models = apps.get_app_config("peers").get_models()
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in models
        if not model._meta.proxy
    }


def ago(**span: float) -> str:
    """Return a time in the past, as envelopes write it."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat()
