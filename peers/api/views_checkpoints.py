"""The endpoint at which peers exchange checkpoints of the federation log."""

from __future__ import annotations

from typing import cast

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from peers.api import schema
from peers.api.authentication import ExchangeAuthentication, IsProvenPeer, PeerCredential
from peers.api.viewsets import PeersViewSet
from peers.services.inbox.log_exchange import answer_exchange
from peers.services.trust.proofs import NotTrustedError


class CheckpointsViewSet(PeersViewSet):
    """Checkpoints of the peers' logs, and those of this hub's log; docs/protocol-extensions.md describes the bodies."""

    authentication_classes = (ExchangeAuthentication,)
    permission_classes = (IsProvenPeer,)

    @schema.federation_checkpoints
    def create(self, request: Request) -> Response:
        """Store the peer's newest checkpoint, then answer with this hub's, and with those of the peer that it holds."""
        credential = cast(PeerCredential, request.auth)
        if credential.exchange is None:
            raise NotTrustedError(credential.peer.server_url)
        return Response(answer_exchange(credential.exchange, now=timezone.now()))
