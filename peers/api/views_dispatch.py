"""Endpoints for work that this hub sends: dispatch an intent, and receive the peer's callbacks about it."""

from __future__ import annotations

from typing import cast

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import actor_of
from core.api.scopes import PEERS_WRITE
from peers.api import schema
from peers.api.authentication import CallbackAuthentication, IsProvenPeer, OperatorAuthentication, PeerCredential
from peers.api.serializers import DispatchRequestSerializer
from peers.api.viewsets import BrowsableProtocolViewSet, PeersViewSet
from peers.protocol import DispatchResult, DispatchStatus
from peers.protocol.receipts import COUNTERSIGNATURE_HEADER, RECEIPT_HEADER
from peers.services.inbox.callbacks import accept_callback
from peers.services.inbox.receipts import countersign
from peers.services.outbox.dispatch import IntentText, create_dispatch
from peers.services.trust.proofs import NotTrustedError

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


class CallbackViewSet(PeersViewSet):
    """Reports of peers about work that this hub dispatched to them."""

    authentication_classes = (CallbackAuthentication,)
    permission_classes = (IsProvenPeer,)

    @schema.federation_callback
    def create(self, request: Request) -> Response:
        """Store a callback of the peer that got the dispatch, once, then answer."""
        credential = cast(PeerCredential, request.auth)
        if credential.callback is None:
            raise NotTrustedError(credential.peer.server_url)
        body = accept_callback(credential.callback, now=timezone.now())
        header = request.headers.get(RECEIPT_HEADER, "")
        answer = countersign(credential.peer, credential.callback.dispatch_id, header, now=timezone.now())
        return Response(body, headers={COUNTERSIGNATURE_HEADER: answer} if answer else None)
