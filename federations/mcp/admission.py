"""The checks of a request to `/mcp` before MCP: the same rules as at the REST API, without a browser's session.

The functions run in a thread, because the token is looked up in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from oauth2_provider.www_authenticate import build_bearer_challenge
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    MethodNotAllowed,
    PermissionDenied,
    UnsupportedMediaType,
)

from core.api.authentication import TokenOrSessionAuthentication, presented_tokens, refusal
from core.api.errors import (
    UNAUTHENTICATED,
    BadRequestError,
    PayloadTooLargeError,
    api_error_body,
    api_error_headers,
    error_body,
)
from core.api.parsers import parse_body
from core.api.scopes import READ, HasRequiredScope
from core.api.viewsets import check_body_readable
from core.signin.attempts import address_of

MCP_PATH = "/mcp"
METADATA_PATH = f"/.well-known/oauth-protected-resource{MCP_PATH}"
JSON_TYPE = "application/json"
NEEDED = "A bearer token with the scope federations-read is required"


@dataclass(frozen=True, slots=True)
class Refused:
    """The response to a request that MCP does not get: the status, further headers, and the API's error body."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def admit(environ: Mapping[str, Any], body: bytes, length: int) -> User | Refused:
    """Return the user for whom the token of a request acts, or the refusal of the request.

    `environ` is the WSGI environment of the request. `length` is the length of the body in bytes; `body` is empty if
    the length is above DATA_UPLOAD_MAX_MEMORY_SIZE.
    """
    request = WSGIRequest(dict(environ))
    try:
        _check_origin(request)
        user = _authenticate(request)
        _check_form(request)
        if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise PayloadTooLargeError()
        parse_body(body, max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    except DisallowedHost:
        return Refused(400, {}, error_body("invalid_request", "The request is malformed"))
    except APIException as exc:
        allowed = {"Allow": "POST"} if isinstance(exc, MethodNotAllowed) else {}
        told: dict[str, Any] = {"detail": NEEDED} if exc.status_code == 401 else api_error_body(exc)
        return Refused(exc.status_code, {**api_error_headers(exc), **allowed}, told)
    return user


def resource_url() -> str:
    """Return the address of the MCP server, which names it as a protected resource (RFC 9728, RFC 8707)."""
    return f"{settings.FEDHUB_SERVER_URL}{MCP_PATH}"


def _check_origin(request: HttpRequest) -> None:
    """Refuse a Host that is not the hub's, and a web page of another origin; programs send no Origin.

    The name of an attacker's web page may resolve to the hub's address (DNS rebinding); its requests then have that
    name as Host, or that page as Origin.
    """
    request.get_host()
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (settings.FEDHUB_SERVER_URL, *settings.CSRF_TRUSTED_ORIGINS):
        raise PermissionDenied("Requests of this origin are not allowed")


def _authenticate(request: HttpRequest) -> User:
    given: dict[str, str] = {}
    try:
        tokens = presented_tokens(request)
        if tokens:
            given = {"error": "invalid_token"}
        if len(tokens) != 1:
            raise refusal("two different tokens") if tokens else AuthenticationFailed(UNAUTHENTICATED)
        user, credential = TokenOrSessionAuthentication().authenticate_token(
            tokens.pop(), address_of(request), audience=resource_url()
        )
    except AuthenticationFailed as exc:
        raise _with_challenge(exc, request, given) from exc
    if READ not in credential.scopes or not isinstance(user, User):
        raise _with_challenge(PermissionDenied(HasRequiredScope.message), request, {"error": "insufficient_scope"})
    return user


def _with_challenge(exc: APIException, request: HttpRequest, error: Mapping[str, str]) -> APIException:
    """Give the refusal the challenge from which a client finds out where people sign in (RFC 9728, section 5.1)."""
    parameters = {**error, "scope": READ}
    metadata = f"{settings.FEDHUB_SERVER_URL}{METADATA_PATH}"
    exc.auth_header = build_bearer_challenge(  # type: ignore[attr-defined]
        request, parameters, realm="fedhub", resource_metadata_url=metadata
    )
    return exc


def _check_form(request: HttpRequest) -> None:
    """Refuse all but a POST of JSON: the server is stateless, so it has neither streams to open nor sessions to end."""
    if request.method != "POST":
        raise MethodNotAllowed(request.method or "")
    if request.content_type != JSON_TYPE:
        raise UnsupportedMediaType(request.content_type or "")
    check_body_readable(request)
    if not int(request.META.get("CONTENT_LENGTH") or 0):
        raise BadRequestError("The request body is empty")
