"""Base classes of the protocol's viewsets: JSON for programs, and the protocol's error bodies."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.browsable.renderer import HubPageRenderer
from core.api.errors import opens_page
from core.api.viewsets import HubViewSet
from peers.api.authentication import OperatorAuthentication, PeerCredential
from peers.api.errors import exception_handler, limiting_exception_handler
from peers.protocol.federation_log import CHECKPOINT_HEADER
from peers.services.trust.log_checkpoints import own_checkpoint_header, pass_on


class JsonOnlyNegotiation(BaseContentNegotiation):
    """Selects JSON for every response and ignores the request's Accept header."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser for the request's content type, or None, which becomes a 415."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the JSON renderer."""
        return renderers[0], renderers[0].media_type


class BrowserOrJsonNegotiation(JsonOnlyNegotiation):
    """Selects a page for a browser that opens the address, and JSON for everything else.

    OpenIntent's clients read JSON alone, whatever they accept, so `text/html` by itself selects nothing.
    """

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the renderer of pages for a browser, else the JSON renderer."""
        page = next((each for each in renderers if each.media_type == "text/html"), None)
        if page is not None and opens_page(request._request):
            return page, page.media_type
        return super().select_renderer(request, renderers, format_suffix)


class ProtocolViewSet(HubViewSet):
    """Base class of endpoints whose responses, errors included, have the forms of the protocol."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (OperatorAuthentication,)
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer]  # type: ignore[misc]
    content_negotiation_class = JsonOnlyNegotiation

    def get_exception_handler(self) -> Any:
        """Return the handler that answers exceptions with the protocol's bodies."""
        return exception_handler


class BrowsableProtocolViewSet(ProtocolViewSet):
    """Endpoints of the protocol that people call too, so that they have pages."""

    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer, HubPageRenderer]  # type: ignore[misc]
    content_negotiation_class = BrowserOrJsonNegotiation


class PeersViewSet(ProtocolViewSet):
    """Endpoints that peers call: an address with too many refusals gets 429."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Give the answer to a proven peer this hub's newest checkpoint, and pass the peer's on to a worker."""
        # After a refused authentication `request.auth` would authenticate again.
        if response.status_code == HTTPStatus.OK and isinstance(request.auth, PeerCredential):
            if checkpoint := own_checkpoint_header():
                response[CHECKPOINT_HEADER] = checkpoint
            pass_on(request.auth.peer, request.headers.get(CHECKPOINT_HEADER))
        return super().finalize_response(request, response, *args, **kwargs)

    def get_exception_handler(self) -> Any:
        """Return the handler that answers exceptions with the protocol's bodies, or with 429."""
        return limiting_exception_handler
