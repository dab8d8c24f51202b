"""Endpoints of the hub's documents, status, agents and intents. Dispatch and receive have modules of their own."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.pagination import paginate, read_page
from core.api.scopes import PEERS_READ, PEERS_WRITE
from core.api.viewsets import serialize_each
from core.errors import NotFoundError
from peers.api import schema
from peers.api.authentication import AnyCallerAuthentication, OperatorAuthentication, PeerCredential
from peers.api.serializers import CreateIntentSerializer, IntentSerializer
from peers.api.viewsets import ProtocolViewSet
from peers.models import Intent
from peers.services.catalog.agents import visible_agents
from peers.services.catalog.intents import create_intent, get_intent
from peers.services.catalog.status import federation_status, manifest
from peers.services.trust.identity import DISABLED, did_document, is_enabled

DOCUMENT_MAX_AGE = "public, max-age=300"


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
        """Return the discovery document."""
        return Response(manifest().to_dict(), headers={"Cache-Control": DOCUMENT_MAX_AGE})

    def did_document(self, request: Request) -> Response:
        """Return the DID document (did:web) with every valid key of this hub."""
        return Response(did_document(), headers={"Cache-Control": DOCUMENT_MAX_AGE})


class StatusViewSet(ProtocolViewSet):
    """The status of the hub's federation."""

    authentication_classes = (OperatorAuthentication,)
    required_scopes = {"GET": PEERS_READ}

    @schema.federation_status
    def retrieve(self, request: Request) -> Response:
        """Tell whether federation is enabled, and count peers, sent dispatches and received dispatches."""
        return Response(federation_status().to_dict())


class AgentsViewSet(ProtocolViewSet):
    """The agents that peers may see."""

    authentication_classes = (AnyCallerAuthentication,)
    permission_classes = ()

    @schema.federation_agents
    def list(self, request: Request) -> Response:
        """List the public agents. An approved peer, by its signature or its own token, also gets the unlisted ones."""
        peer = request.auth.peer if isinstance(request.auth, PeerCredential) else None
        return Response({"agents": [agent.to_dict() for agent in visible_agents(peer)]})


class IntentViewSet(ProtocolViewSet):
    """Intents, made on this hub or received from peers."""

    authentication_classes = (OperatorAuthentication,)
    required_scopes = {"GET": PEERS_READ, "POST": PEERS_WRITE}

    @schema.list_intents
    def list(self, request: Request) -> Response:
        """List the intents, newest first."""
        found, pagination = paginate(Intent.objects.all(), read_page(request.query_params))
        return Response({"intents": serialize_each(IntentSerializer, found), "pagination": pagination})

    @schema.create_intent
    def create(self, request: Request) -> Response:
        """Store an intent on this hub. A dispatch sends it to a peer."""
        intent = create_intent(**self.read_body(CreateIntentSerializer), by=actor_of(cast(User, request.user)))
        return Response(IntentSerializer(intent).data, status=201)

    @schema.retrieve_intent
    def retrieve(self, request: Request, intent_id: str) -> Response:
        """Show one intent."""
        return Response(IntentSerializer(get_intent(intent_id)).data)
