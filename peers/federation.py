"""The documented names of an OpenIntent federation server, with their meaning in Django.

`FederationState` reads settings and rows at each access and stores what it registers; it keeps no state of its own.
`configure_federation` sets the settings of the current process, so every process must call it, best in the method
`ready` of an app. `create_federation_router` returns URL patterns. These functions approve no peer: a peer that they
name becomes a proposal, and staff approve it after they compare keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern
from django.utils.module_loading import import_string
from rest_framework.exceptions import APIException

from core.actors import Actor
from core.errors import HubError, UnauthenticatedError
from peers.api.errors import refusal_of
from peers.models import Peer, PeerState
from peers.protocol import (
    AgentVisibility,
    FederatedAgent,
    FederationManifest,
    FederationStatus,
    HubIdentity,
    TrustPolicy,
    is_same_did,
    is_same_server,
)
from peers.services.catalog.agents import register_agent, visible_agents
from peers.services.catalog.hub_status import federation_status, manifest
from peers.services.trust.identity import choose_identity, hub_identity, hub_url, is_enabled
from peers.services.trust.peers import add_peer, find_peer
from peers.services.trust.proofs import UNPROVEN

CONFIGURATION = Actor(id="", name="configure_federation")

ValidateApiKey = Callable[[str], object]
"""Gets the key of a request, "" for none; refuses with False or with APIException, PermissionDenied or HubError."""


class FederationState:
    """The current state of the hub in the protocol. Each access reads settings and rows."""

    @property
    def enabled(self) -> bool:
        """Tell whether the protocol is enabled on this hub."""
        return is_enabled()

    @property
    def server_url(self) -> str:
        """Return the hub's URL, normalized."""
        return hub_url()

    @property
    def identity(self) -> HubIdentity:
        """Return the identity that the hub signs with."""
        return hub_identity()

    @property
    def trust_policy(self) -> TrustPolicy:
        """Return the hub's trust policy."""
        return TrustPolicy(settings.FEDHUB_TRUST_POLICY)

    @property
    def visibility_default(self) -> AgentVisibility:
        """Return the visibility of a discovered agent for which staff chose none."""
        return AgentVisibility(settings.FEDHUB_VISIBILITY_DEFAULT)

    @property
    def peers(self) -> list[str]:
        """Return the URLs of the approved peers."""
        return list(Peer.objects.filter(state=PeerState.APPROVED).values_list("server_url", flat=True))

    @property
    def manifest(self) -> FederationManifest:
        """Return the discovery document."""
        return manifest()

    @property
    def status(self) -> FederationStatus:
        """Return the counters."""
        return federation_status()

    def register_agent(
        self,
        agent_id: str,
        capabilities: Iterable[str] | None = None,
        visibility: AgentVisibility | str = AgentVisibility.PUBLIC,
        server_url: str = "",
    ) -> FederatedAgent:
        """Store an agent that peers can discover; an agent with this id is changed."""
        return register_agent(agent_id, capabilities=capabilities or (), visibility=visibility, server_url=server_url)

    def get_visible_agents(self, requesting_server: str | None = None) -> list[FederatedAgent]:
        """Return the agents that a server may see; None stands for an unknown server.

        The caller must have verified that the request comes from `requesting_server`. Approved peers also see unlisted
        agents.
        """
        return visible_agents(find_peer(requesting_server) if requesting_server else None)


def configure_federation(
    server_url: str,
    server_did: str | None = None,
    trust_policy: TrustPolicy | str | None = None,
    visibility_default: AgentVisibility | str | None = None,
    peers: Iterable[str] | None = None,
    identity: HubIdentity | None = None,
) -> FederationState:
    """Configure the protocol in this process; an argument of None leaves its setting unchanged.

    An unknown server in `peers` is stored as a proposed peer. Raises ImproperlyConfigured unless `server_url` is
    FEDHUB_SERVER_URL and `server_did` its did:web, ValueError for an unknown policy or visibility, InvalidIdentifier
    for the identity of another server, InvalidRequestError for a refused URL of a peer.
    """
    if not is_same_server(server_url, settings.FEDHUB_SERVER_URL):
        raise ImproperlyConfigured(f"{server_url} is not FEDHUB_SERVER_URL, {settings.FEDHUB_SERVER_URL}.")
    own_did = HubIdentity(hub_url()).did
    if server_did is not None and not is_same_did(server_did, own_did):
        raise ImproperlyConfigured(f"{server_did} is not the did:web of {hub_url()}, {own_did}.")
    if trust_policy is not None:
        settings.FEDHUB_TRUST_POLICY = TrustPolicy(trust_policy).value
    if visibility_default is not None:
        settings.FEDHUB_VISIBILITY_DEFAULT = AgentVisibility(visibility_default).value
    if identity is not None:
        choose_identity(identity)
    for peer in peers or ():
        if find_peer(peer) is None:
            add_peer(peer, by=CONFIGURATION)
    return FederationState()


def create_federation_router(validate_api_key: ValidateApiKey | None = None) -> list[URLPattern]:
    """Return the URL patterns of all protocol endpoints, for a root urlconf: `urlpatterns += …`.

    `validate_api_key` is called before the hub's own checks, for every endpoint except the well-known documents. It can
    refuse a request, but it cannot replace the hub's checks. Its argument is the key in X-API-Key, else the bearer
    token in Authorization.
    """
    patterns: list[URLPattern] = import_string("peers.api.urls.federation_patterns")
    documents: list[URLPattern] = import_string("peers.api.urls.document_patterns")
    if validate_api_key is None:
        return [*documents, *patterns]
    guarded = [
        URLPattern(entry.pattern, _guarded(entry.callback, validate_api_key), name=entry.name) for entry in patterns
    ]
    return [*documents, *guarded]


View = Callable[..., HttpResponseBase]


def _guarded(view: View, validate_api_key: ValidateApiKey) -> View:
    # wraps also copies the attributes of the view, such as csrf_exempt.
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if validate_api_key(_presented_key(request)) is False:
                raise UnauthenticatedError(UNPROVEN)
        except (APIException, PermissionDenied, HubError) as exc:
            refusal = refusal_of(exc)
            return JsonResponse(refusal.body, status=refusal.status, headers=refusal.headers)
        return view(request, *args, **kwargs)

    return guarded


def _presented_key(request: HttpRequest) -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("X-API-Key", "").strip() or bearer
