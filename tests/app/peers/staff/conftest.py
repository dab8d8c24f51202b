"""Peers in every state, and a hub of another organization that publishes its documents on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_httpserver import HTTPServer

from core.actors import Actor
from peers.models import KeyOrigin, Peer
from peers.protocol import FederationManifest, JsonObject, SigningKey, did_of_url
from peers.protocol.did_document import build_did_document
from peers.services.trust.keys import propose_key
from peers.services.trust.peer_documents import MANIFEST_PATH
from peers.services.trust.peers import add_peer, approve_peer

OPERATOR = Actor(id="1", name="operator")
URL = "https://partner.example.org"
KEY = SigningKey(b"1" * 32)
NEXT_KEY = SigningKey(b"2" * 32)
OTHER_KEY = SigningKey(b"3" * 32)

MakePeer = Callable[..., Peer]


@pytest.fixture
def proposed(db: None) -> Peer:
    """A peer that staff added by hand, with the key that its staff gave them."""
    return add_peer(URL, by=OPERATOR, public_key=KEY.verification_key.base64)


@pytest.fixture
def approved(proposed: Peer) -> Peer:
    """A peer whose key staff compared and pinned."""
    approve_peer(proposed, key_fingerprint=proposed.keys.get().fingerprint, by=OPERATOR, reason="Compared by phone")
    return proposed


class Partner:
    """A hub that serves the documents that a test gives it."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.did = did_of_url(self.url)

    def manifest(self, **changes: str) -> JsonObject:
        """Return the correct manifest with `changes` applied."""
        return FederationManifest(server_did=self.did, server_url=self.url).to_dict() | changes

    def did_document(self, *keys: SigningKey) -> JsonObject:
        """Return the DID document with the keys."""
        return build_did_document(self.did, [key.verification_key for key in keys])

    def publish(self, *keys: SigningKey, manifest: JsonObject | None = None, did: JsonObject | None = None) -> None:
        """Serve both documents from now on."""
        self.server.clear()
        self.server.expect_request(MANIFEST_PATH).respond_with_json(manifest or self.manifest())
        self.server.expect_request("/.well-known/did.json").respond_with_json(did or self.did_document(*keys))

    def approved(self, *keys: SigningKey) -> Peer:
        """Return the peer, approved with these keys."""
        peer = add_peer(self.url, by=OPERATOR)
        for key in keys:
            propose_key(peer, key.verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
        approve_peer(peer, key_fingerprint=keys[0].verification_key.fingerprint, by=OPERATOR)
        return peer


@pytest.fixture
def partner(db: None, httpserver: HTTPServer, settings: LazySettings) -> Iterator[Partner]:
    """A partner on loopback, in a network that this hub may reach."""
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    yield Partner(httpserver)
    httpserver.clear()


@pytest.fixture
def admin(db: None) -> Client:
    """Sign in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="a long enough password"))
    return client


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that signs in as staff with the named permissions alone."""

    def sign_in(*codenames: str) -> Client:
        user = User.objects.create_user("ines", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="peers", codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return sign_in
