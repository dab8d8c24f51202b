"""The endpoints of Agentic Resource Discovery: open to everyone, limited for each address, 404 while FEDHUB_ARD is off.

Errors have the body of ARD's appendix B.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import IO, Any

from django.http import QueryDict
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.parsers import StrictJSONParser, parse_body
from core.errors import InvalidRequestError, NotImplementedYetError
from core.rate_limits import OpenDoor, spend_stranger_request
from core.strict_json import JsonObject
from peers.api.cursors import make_cursor, read_cursor
from peers.api.errors import refusal_of
from peers.api.viewsets import ProtocolViewSet
from peers.services.catalog.ard import CATALOG, check_is_on, digest_of, find_card, find_entry
from peers.services.catalog.ard_search import read_query, search_public

MAX_BODY_BYTES = 16_384
CACHED = "public, max-age=300"
OFFSET = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
SOON = "public, max-age=30"
CODES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    501: "NOT_IMPLEMENTED",
}

ARD_PATHS = re.compile(r"/ard(/|\Z)|/\.well-known/(ard|ai-catalog)\.json\Z")
"""The paths of Agentic Resource Discovery."""

logger = logging.getLogger(__name__)


def ard_error_body(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"errorCode": CODES.get(status, "INTERNAL_ERROR"), "message": message}


def ard_exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the error response for `exc`; Django REST framework calls this while it handles the exception."""
    refusal = refusal_of(exc)
    # The protocol between hubs answers 422 where ARD has 400.
    status = 400 if refusal.status == 422 else refusal.status
    if status >= 500 and not isinstance(exc, NotImplementedYetError):
        logger.error("Unexpected error in a request of Agentic Resource Discovery", exc_info=exc)
    headers = refusal.headers | ({"Cache-Control": SOON} if status == 404 else {})
    return Response(ard_error_body(status, refusal.message), status=status, headers=headers)


class SmallJSONParser(StrictJSONParser):
    """Parses the body of a search, of at most MAX_BODY_BYTES."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value; raise BadRequestError or PayloadTooLargeError."""
        return parse_body(stream.read(MAX_BODY_BYTES + 1), max_bytes=MAX_BODY_BYTES)


@extend_schema(exclude=True)
class ArdViewSet(ProtocolViewSet):
    """The manifest, the search, single entries and the cards of public agents."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes: list[type[BaseParser]] = [SmallJSONParser]

    def get_exception_handler(self) -> Any:
        """Return the handler that answers exceptions with ARD's bodies."""
        return ard_exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise NotFoundError while ARD is off, and RateLimitedError past the limit of the caller's address."""
        super().initial(request, *args, **kwargs)
        check_is_on()
        spend_stranger_request(request.META.get("REMOTE_ADDR", ""), OpenDoor.PEERS)

    def manifest(self, request: Request) -> Response:
        """Return the signed manifest."""
        catalog = CATALOG.get()
        return _cacheable(request, catalog.manifest, catalog.manifest_digest)

    def entry(self, request: Request, identifier: str) -> Response:
        """Return one signed entry (section 5.3.4)."""
        found = find_entry(identifier)
        return _cacheable(request, found, digest_of(found))

    def card(self, request: Request, kind: str, name: str) -> Response:
        """Return the card that an entry names."""
        found = find_card(kind, name)
        return _cacheable(request, found, digest_of(found))

    def search(self, request: Request) -> Response:
        """Return the public resources that match, best first (section 5.3.2)."""
        answer, following = search_public(read_query(request.data, offset=_read_offset(request.data)))
        if following is not None:
            answer["pageToken"] = make_cursor(str(following))
        return Response(answer)

    def missing(self, request: Request) -> Response:
        """Answer for the optional endpoints, which this hub does not have."""
        raise NotImplementedYetError("This hub does not have this optional endpoint")


def _cacheable(request: Request, document: JsonObject, digest: str) -> Response:
    """Return a document with its caching headers, or 304 for a caller that has it."""
    etag = f'"{digest}"'
    response = Response(document, headers={"Cache-Control": CACHED, "ETag": etag})
    found = get_conditional_response(request._request, etag=etag, response=response)
    if found is None or found is response:
        return response
    return Response(status=found.status_code, headers={"Cache-Control": CACHED, "ETag": etag})


def _read_offset(body: Any) -> int:
    token = body.get("pageToken") if isinstance(body, dict) else None
    if token is None:
        return 0
    query = QueryDict(mutable=True)
    query["cursor"] = token if isinstance(token, str) else "-"
    offset = read_cursor(query)
    if not OFFSET.match(offset):
        raise InvalidRequestError("pageToken: is not a token of this search")
    return int(offset)
