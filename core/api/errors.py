"""One place where what went wrong becomes a status and a body of the contract.

The status comes from the exception's type alone, never from its text; an exception that nobody foresaw is logged whole
and answered as `Internal server error`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions, status
from rest_framework.response import Response

from core.api.families import family_of
from core.errors import HubError

UNAUTHENTICATED = "JWT or session authentication required"
INTERNAL_ERROR = "Internal server error"
API_PATH = re.compile(r"/api(/|\Z)")

logger = logging.getLogger(__name__)


class BadRequestError(exceptions.APIException):
    """The request cannot be meant like this; the detail names the field."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_request"


class PayloadTooLargeError(exceptions.APIException):
    """The body is larger than the hub reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"
    default_detail = "The request body is too large"


class LengthRequiredError(exceptions.APIException):
    """The body's length is not given, so under WSGI it cannot be read (RFC 9110, 15.5.12)."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length_required"
    default_detail = "Send the request body with a Content-Length"


CODES: dict[int, str] = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    411: "length_required",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


def error_body(code: str, message: str) -> dict[str, Any]:
    """Return the contract's body of an error."""
    return {"detail": {"error": code, "message": message}}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Answer `exc`; the handler of Django REST framework, which calls it while the exception is being handled."""
    if isinstance(exc, HubError):
        if exc.status_hint >= 500:
            logger.warning("%s: %s", type(exc).__name__, exc.message, exc_info=exc)
        return Response(error_body(exc.code, exc.message), status=exc.status_hint)
    known = as_api_exception(exc)
    if known is None:
        logger.error("Unforeseen error while answering a request", exc_info=exc)
        return Response(error_body("internal_error", INTERNAL_ERROR), status=500)
    return Response(api_error_body(known), status=known.status_code, headers=api_error_headers(known))


def as_api_exception(exc: Exception) -> exceptions.APIException | None:
    """Return `exc` as one of the framework's exceptions, or None where it is none that a caller can cause."""
    if isinstance(exc, exceptions.APIException):
        return exc
    if isinstance(exc, Http404):
        return exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exc, RequestDataTooBig):
        return PayloadTooLargeError()
    if isinstance(exc, SuspiciousOperation):
        return BadRequestError("The request is malformed")
    return None


def api_error_body(exc: exceptions.APIException) -> dict[str, Any]:
    """Return the body for `exc`: a plain string for 401 and 403, code and message for the rest."""
    if exc.status_code == 401:
        return {"detail": UNAUTHENTICATED}
    if exc.status_code == 403:
        return {"detail": "; ".join(messages(exc.detail))}
    return error_body(CODES.get(exc.status_code, "internal_error"), "; ".join(messages(exc.detail)))


def api_error_headers(exc: exceptions.APIException) -> dict[str, str]:
    """Return the headers that go with `exc`."""
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def messages(detail: Any, path: str = "") -> Iterator[str]:
    """Yield every message in a validation error's tree, each after the path of its field: `tags[1]: …`."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from messages(value, path if key == "non_field_errors" else nested(path, key))
    elif isinstance(detail, (list, tuple)):
        for value in detail:
            yield from messages(value, path)
    else:
        yield f"{path}: {detail}" if path else str(detail)


def nested(path: str, key: object) -> str:
    """Return the path of a member: a name after a dot, an index in brackets."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an address that leads nowhere: in JSON under /api, else with Django's page."""
    if is_api(request.path):
        return outside_error(request, 404, "Not found")
    return page_not_found(request, exception or Http404())


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request that was refused before any view saw it."""
    return outside_error(request, 400, "The request is malformed")


def internal_error(request: HttpRequest) -> HttpResponse:
    """Answer an error outside every API view; Django has logged it."""
    if is_api(request.path):
        return outside_error(request, 500, INTERNAL_ERROR)
    return server_error(request)


def outside_error(request: HttpRequest, status: int, message: str) -> JsonResponse:
    """Answer an error outside every view, in the body of the family that the address belongs to."""
    family = family_of(request.path)
    body = family.error_body(status, message) if family else error_body(CODES.get(status, "internal_error"), message)
    return JsonResponse(body, status=status)


def is_api(path: str) -> bool:
    """Tell whether errors at this path are answered in JSON."""
    return bool(API_PATH.match(path) or family_of(path))
