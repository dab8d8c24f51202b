"""The endpoint for work that this hub sends."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.scopes import PEERS_WRITE
from peers.api import schema
from peers.api.authentication import OperatorAuthentication
from peers.api.serializers import DispatchRequestSerializer
from peers.api.viewsets import BrowsableProtocolViewSet
from peers.protocol import DispatchResult, DispatchStatus
from peers.services.outbox.dispatch import IntentText, create_dispatch

INITIATED = "Dispatch initiated"


class DispatchViewSet(BrowsableProtocolViewSet):
    """Intents that this hub dispatches to peers."""

    authentication_classes = (OperatorAuthentication,)
    required_scopes = {"POST": PEERS_WRITE}

    @schema.federation_dispatch
    def create(self, request: Request) -> Response:
        """Dispatch an intent to a peer. A worker delivers it, or holds it until staff approve the peer."""
        asked = self.read_body(DispatchRequestSerializer)
        dispatch = create_dispatch(
            intent_id=asked["intent_id"],
            target_server=asked["target_server"],
            agent_id=asked["agent_id"] or "",
            scope=asked["delegation_scope"],
            policy=asked["federation_policy"],
            callback_url=asked["callback_url"] or "",
            trace_context=asked["trace_context"],
            overrides=IntentText(
                title=asked["intent_title"],
                description=asked["intent_description"],
                state=asked["intent_state"],
                constraints=asked["intent_constraints"],
            ),
            by=actor_of(request.user),
        )
        # `accepted` is this hub's answer; the dispatch's own status holds the peer's answer.
        result = DispatchResult(dispatch.pk, DispatchStatus.ACCEPTED, dispatch.target_server, INITIATED)
        return Response(result.to_dict())
