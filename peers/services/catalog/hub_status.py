"""This hub's manifest and its status in the protocol between hubs."""

from __future__ import annotations

from django.conf import settings

from peers.models import Dispatch, Peer, PeerState, ReceivedDispatch
from peers.models.dispatches import OPEN_STATES
from peers.protocol import AgentVisibility, FederationManifest, FederationStatus, TrustPolicy
from peers.protocol.discovery import DEFAULT_ENDPOINTS
from peers.services.trust.identity import ARD_PATH, hub_identity, hub_url, is_ard_on, is_enabled

CALLBACK_PATH = "/api/v1/federation/callback"


def federation_status() -> FederationStatus:
    """Return this hub's status, with its counters unless the protocol between hubs is disabled."""
    if not is_enabled():
        return FederationStatus(enabled=False, trust_policy=TrustPolicy(settings.FEDHUB_TRUST_POLICY))
    return FederationStatus(
        enabled=True,
        server_did=hub_identity().did,
        trust_policy=TrustPolicy(settings.FEDHUB_TRUST_POLICY),
        peer_count=Peer.objects.filter(state=PeerState.APPROVED).count(),
        active_dispatches=Dispatch.objects.filter(status__in=OPEN_STATES).count(),
        total_dispatches=Dispatch.objects.count(),
        total_received=ReceivedDispatch.objects.count(),
    )


def manifest() -> FederationManifest:
    """Return this hub's manifest; the manifest lists the approved peers only if FEDHUB_PUBLISH_PEERS is set."""
    identity = hub_identity()
    peers: list[str] = []
    if settings.FEDHUB_PUBLISH_PEERS:
        peers = list(Peer.objects.filter(state=PeerState.APPROVED).values_list("server_url", flat=True))
    return FederationManifest(
        server_did=identity.did,
        server_url=hub_url(),
        trust_policy=TrustPolicy(settings.FEDHUB_TRUST_POLICY),
        visibility_default=AgentVisibility(settings.FEDHUB_VISIBILITY_DEFAULT),
        peers=peers,
        public_key=identity.public_key_b64,
        endpoints={**DEFAULT_ENDPOINTS, "callback": CALLBACK_PATH, **({"ard": ARD_PATH} if is_ard_on() else {})},
    )
