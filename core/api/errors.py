"""The one place that turns an exception into the HTTP status and the error body that the API contract defines.

The type of the exception decides the status; the text of the exception never does. An exception of an unknown type is
logged with its traceback, and the caller gets `Internal server error`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions, status
from rest_framework.response import Response

from core.api.endpoint_families import find_family
from core.errors import HubError, TooManyRequestsError

UNAUTHENTICATED = "JWT or session authentication required"
INTERNAL_ERROR = "Internal server error"
PROOFS = ("Authorization", "X-API-Key", "Signature", "Signature-Input")
"""The headers by which programs and peers prove who they are."""

API_PATH = re.compile(r"/api(/|\Z)")

logger = logging.getLogger(__name__)


class BadRequestError(exceptions.APIException):
    """Raised for a request that does not fit the API contract; the detail names the field of the request."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_request"


class PayloadTooLargeError(exceptions.APIException):
    """Raised for a request body that is larger than the hub reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"
    default_detail = "The request body is too large"


class LengthRequiredError(exceptions.APIException):
    """Raised for a request without the length of its body: WSGI cannot read such a body (RFC 9110, 15.5.12)."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length_required"
    default_detail = "Send the request body with a Content-Length"


class ContentCodingError(exceptions.APIException):
    """Raised for a request body with a content coding, because the hub decodes none (RFC 9110, 15.5.16).

    The HTTP response names `identity` as the only accepted coding.
    """

    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media_type"
    default_detail = "Send the request body without a Content-Encoding"
    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "identity"}


class DatabaseAwayError(exceptions.APIException):
    """Raised for a request during which a database cannot be reached, is full, or stays locked; it may come again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The hub cannot reach its database; send the request again"
    wait = 5
    """Seconds, for the header Retry-After."""


CODES: dict[int, str] = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    411: "length_required",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "unavailable",
}


def error_body(code: str, message: str) -> dict[str, Any]:
    """Return the contract's body of an error."""
    return {"detail": {"error": code, "message": message}}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the HTTP response to `exc`; Django REST framework calls this function inside its `except` block."""
    if isinstance(exc, HubError):
        if exc.status_hint >= 500:
            logger.warning("%s: %s", type(exc).__name__, exc.message, exc_info=exc)
        return Response(error_body(exc.code, exc.message), status=exc.status_hint, headers=hub_error_headers(exc))
    known = as_api_exception(exc)
    if known is None:
        logger.error("Unexpected error in a request", exc_info=exc)
        return Response(error_body("internal_error", INTERNAL_ERROR), status=500)
    if known.status_code >= 500:
        logger.error("%s", known.detail, exc_info=exc)
    return Response(api_error_body(known), status=known.status_code, headers=api_error_headers(known))


def as_api_exception(exc: Exception) -> exceptions.APIException | None:
    """Return `exc` as an exception of the framework, or None for an error of the hub that nobody foresaw."""
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
    if isinstance(exc, (OperationalError, InterfaceError)):
        return DatabaseAwayError()
    return None


def api_error_body(exc: exceptions.APIException) -> dict[str, Any]:
    """Return the body for `exc`: a string for 401 and 403, a code and a message for every other status."""
    if exc.status_code == 401:
        return {"detail": UNAUTHENTICATED}
    if exc.status_code == 403:
        return {"detail": "; ".join(messages(exc.detail))}
    return error_body(CODES.get(exc.status_code, "internal_error"), "; ".join(messages(exc.detail)))


def hub_error_headers(exc: HubError) -> dict[str, str]:
    """Return the headers of the response to `exc`: Retry-After where the time is known (RFC 6585, section 4)."""
    if isinstance(exc, TooManyRequestsError) and exc.retry_after_seconds:
        return {"Retry-After": str(exc.retry_after_seconds)}
    return {}


def api_error_headers(exc: exceptions.APIException) -> dict[str, str]:
    """Return the headers of the response to `exc`: WWW-Authenticate, Retry-After, and headers that `exc` has itself."""
    headers = dict(exc.headers) if isinstance(exc, ContentCodingError) else {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def messages(detail: Any, path: str = "") -> Iterator[str]:
    """Yield each message in the tree of a validation error after the path of its field: `tags[1]: …`."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from messages(value, path if key == "non_field_errors" else nested(path, key))
    elif isinstance(detail, (list, tuple)):
        for value in detail:
            yield from messages(value, path)
    else:
        yield f"{path}: {detail}" if path else str(detail)


def nested(path: str, key: object) -> str:
    """Return the path of the member `key` of `path`: a name after a dot, an index in brackets."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request for an unknown path: with JSON if the path belongs to the API, otherwise with Django's page.

    A browser that opens an unknown path of the API gets a page, which leads to the list of endpoints.
    """
    if request.method in ("GET", "HEAD") and API_PATH.match(request.path) and opens_page(request):
        response = render(request, "api/unknown.html", status=404)
        # json_errors leaves the errors of views as they are.
        response.accepted_renderer = "page"  # type: ignore[attr-defined]
        return response
    if is_api(request.path):
        return answer_outside_views(request.path, 404, "Not found")
    return page_not_found(request, exception or Http404())


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request that Django refuses before it calls a view."""
    return answer_outside_views(request.path, 400, "The request is malformed")


def internal_error(request: HttpRequest) -> HttpResponse:
    """Answer an error outside the API views; Django logs the error."""
    if is_api(request.path):
        return answer_outside_views(request.path, 500, INTERNAL_ERROR)
    return server_error(request)


def answer_outside_views(path: str, status: int, message: str) -> JsonResponse:
    """Answer an error outside the views; the endpoint family of the request's path gives the form of the body."""
    family = find_family(path)
    body = family.error_body(status, message) if family else error_body(CODES.get(status, "internal_error"), message)
    return JsonResponse(body, status=status)


def opens_page(request: HttpRequest) -> bool:
    """Tell whether a browser opens the address: each browser accepts `application/xhtml+xml` beside `text/html` then.

    A request with a token or a signature is a program's, whatever it accepts.
    """
    accepted = {item.partition(";")[0].strip().lower() for item in request.headers.get("Accept", "").split(",")}
    is_of_browser = accepted >= {"text/html", "application/xhtml+xml"}
    return is_of_browser and not any(name in request.headers for name in PROOFS)


def is_api(path: str) -> bool:
    """Tell whether the hub answers errors at this path in JSON."""
    return bool(API_PATH.match(path) or find_family(path))
