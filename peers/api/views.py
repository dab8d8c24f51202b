"""Endpoints of the hub's documents, status, agents and intents. Dispatch and receive have modules of their own."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.browsable.facts import PageFacts
from core.api.pagination import paginate, read_page, read_whole_number
from core.api.scopes import PEERS_READ, PEERS_WRITE
from core.api.viewsets import serialize_each
from core.errors import NotFoundError
from core.rate_limits import OpenDoor, spend_stranger_request
from peers.api import schema
from peers.api.authentication import AnyCallerAuthentication, OperatorAuthentication, PeerCredential
from peers.api.cursors import make_cursor, read_cursor
from peers.api.serializers import CreateIntentSerializer, IntentSerializer
from peers.api.viewsets import BrowsableProtocolViewSet, PeersViewSet, ProtocolViewSet
from peers.models import Intent
from peers.services.catalog.agents import visible_agents
from peers.services.catalog.hub_status import federation_status, manifest
from peers.services.catalog.intents import create_intent, get_intent, with_status
from peers.services.trust.identity import DISABLED, did_document, is_enabled
from peers.services.trust.rate_limits import spend_request

DOCUMENT_MAX_AGE = "public, max-age=300"
MAX_AGENTS = 500
"""The agents of one page, at most and by default."""


@extend_schema(exclude=True)
class DocumentViewSet(ProtocolViewSet):
    """The documents that identify this hub to other hubs: open to everyone, 404 while the protocol is disabled."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise NotFoundError while the protocol is disabled."""
        super().initial(request, *args, **kwargs)
        if not is_enabled():
            raise NotFoundError(DISABLED)

    def manifest(self, request: Request) -> Response:
        """Return the discovery document. Requests for one that lists the peers are limited for each address."""
        if settings.FEDHUB_PUBLISH_PEERS:
            spend_stranger_request(request.META.get("REMOTE_ADDR", ""), OpenDoor.PEERS)
        return Response(manifest().to_dict(), headers={"Cache-Control": DOCUMENT_MAX_AGE})

    def did_document(self, request: Request) -> Response:
        """Return the DID document (did:web) with every valid key of this hub."""
        return Response(did_document(), headers={"Cache-Control": DOCUMENT_MAX_AGE})


class StatusViewSet(BrowsableProtocolViewSet):
    """The status of the hub's federation."""

    authentication_classes = (OperatorAuthentication,)
    required_scopes = {"GET": PEERS_READ}

    @schema.federation_status
    def retrieve(self, request: Request) -> Response:
        """Tell whether federation is enabled, and count peers, sent dispatches and received dispatches."""
        return Response(federation_status().to_dict())


class AgentsViewSet(BrowsableProtocolViewSet, PeersViewSet):
    """The agents that peers may see."""

    authentication_classes = (AnyCallerAuthentication,)
    permission_classes = ()

    @schema.federation_agents
    def list(self, request: Request) -> Response:
        """List the public agents. An approved peer, by its signature or its own token, also gets the unlisted ones.

        The answer has `next_cursor` where more agents follow.
        """
        peer = request.auth.peer if isinstance(request.auth, PeerCredential) else None
        if peer:
            spend_request(peer)
        elif not request.auth and not request.user.is_authenticated:
            spend_stranger_request(request.META.get("REMOTE_ADDR", ""), OpenDoor.PEERS)
        limit = read_whole_number(request.query_params, "limit", default=MAX_AGENTS, maximum=MAX_AGENTS)
        found = visible_agents(peer, read_cursor(request.query_params), limit + 1)
        body: dict[str, Any] = {"agents": [agent.to_dict() for agent in found[:limit]]}
        if len(found) > limit:
            body["next_cursor"] = make_cursor(found[limit - 1].agent_id)
        return Response(body)


class IntentViewSet(BrowsableProtocolViewSet):
    """Intents, made on this hub or received from peers."""

    authentication_classes = (OperatorAuthentication,)
    required_scopes = {"GET": PEERS_READ, "POST": PEERS_WRITE}

    def page_facts(self, operation: str, answer: Any) -> PageFacts:
        """Name the intent."""
        if "intent_id" not in self.kwargs:
            return PageFacts("Intents")
        title = str(answer["title"])[:100] if isinstance(answer, dict) else ""
        return PageFacts(f"Intent {title}" if title else "", names={"intent_id": title} if title else {})

    @schema.list_intents
    def list(self, request: Request) -> Response:
        """List the intents, newest first."""
        found, pagination = paginate(Intent.objects.all(), read_page(request.query_params))
        return Response({"intents": serialize_each(IntentSerializer, with_status(found)), "pagination": pagination})

    @schema.create_intent
    def create(self, request: Request) -> Response:
        """Store an intent on this hub. A dispatch sends it to a peer."""
        intent = create_intent(**self.read_body(CreateIntentSerializer), by=actor_of(cast(User, request.user)))
        return Response(IntentSerializer(intent).data, status=201)

    @schema.retrieve_intent
    def retrieve(self, request: Request, intent_id: str) -> Response:
        """Show one intent."""
        return Response(IntentSerializer(get_intent(intent_id)).data)
