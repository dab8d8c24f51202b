"""The endpoint that receives work from peers."""

from __future__ import annotations

from typing import cast

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from peers.api import schema
from peers.api.authentication import IsProvenPeer, PeerCredential, ReceiveAuthentication
from peers.api.viewsets import PeersViewSet
from peers.services.inbox.receive.store import receive
from peers.services.outbox.receipts import rejection_headers
from peers.services.trust.proofs import NotTrustedError


class ReceiveViewSet(PeersViewSet):
    """Intents that peers dispatch to this hub."""

    authentication_classes = (ReceiveAuthentication,)
    permission_classes = (IsProvenPeer,)

    @schema.federation_receive
    def create(self, request: Request) -> Response:
        """Store an intent of a peer, once, then answer."""
        credential = cast(PeerCredential, request.auth)
        if credential.submission is None:
            raise NotTrustedError(credential.peer.server_url)
        result = receive(credential.submission, now=timezone.now())
        headers = None if result.accepted else rejection_headers(credential.peer, result.dispatch_id)
        return Response(result.to_dict(), headers=headers)
