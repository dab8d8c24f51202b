"""The base of every set of endpoints of the protocol between hubs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from core.api.viewsets import HubViewSet
from peers.api.authentication import OperatorAuthentication
from peers.api.errors import exception_handler, limiting_exception_handler


class JsonOnly(BaseContentNegotiation):
    """Answers in JSON whatever the request accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser for the request's content type; None, which becomes 415, for another."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the JSON renderer."""
        return renderers[0], renderers[0].media_type


class ProtocolViewSet(HubViewSet):
    """A set of endpoints whose answers have the forms of the protocol between hubs."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (OperatorAuthentication,)
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer]  # type: ignore[misc]
    content_negotiation_class = JsonOnly

    def get_exception_handler(self) -> Any:
        """Return what turns exceptions into this family's bodies."""
        return exception_handler


class PeersViewSet(ProtocolViewSet):
    """A set of endpoints that peers call: an address that is refused there again and again is told to slow down."""

    def get_exception_handler(self) -> Any:
        """Return what turns exceptions into this family's bodies, or into 429."""
        return limiting_exception_handler
