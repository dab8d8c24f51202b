"""Error responses of the protocol's endpoints, and the log line of each refusal.

The body is always JSON, with `detail` (a sentence, or the list of field errors) and `message`, on 400 and 422 also
`errors`: OpenIntent clients fail on any other body. A refusal writes a line to the text log and raises a counter. That
of a peer's message also gets a line of the journal, which the request does not wait for.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.errors import INTERNAL_ERROR, BadRequestError, api_error_headers, as_api_exception, messages
from core.counts import Count
from core.errors import HubError
from core.rate_limits import RateLimitedError
from peers.api.authentication import header_of
from peers.models import Peer
from peers.protocol import DelegationError, MalformedMessage, ProtocolError
from peers.services.inbox.explain.causes import OF_ADDRESS
from peers.services.inbox.refused import detail_of, see_refusal
from peers.services.trust.proofs import PUBLIC_KEY_HEADER, UNPROVEN
from peers.services.trust.rate_limits import spend_refusal
from peers.services.trust.restore_boundary import BeforeRestoreError

PROTOCOL_PATHS = re.compile(
    r"/api/v1/(federation(?!/agentcore(/|\Z))|intents)(/|\Z)|/\.well-known/(did|openintent-federation)\.json/?\Z"
)
"""The paths of the protocol between hubs."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="fedhub"'}
MAX_LOGGED_CHARS = 300

logger = logging.getLogger(__name__)
REFUSED = Count(
    "fedhub_peer_refusals_total", "Requests at the endpoints of the protocol that were refused.", ("reason",)
)
_refusals: Counter[str] = Counter()
_refusals_lock = Lock()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response of a protocol endpoint, which `refusal_of` makes from an exception.

    `status` is the HTTP status, `message` the sentence for the caller. `reason` goes only to the log, never into the
    response. `errors` are the field errors `{"field": …, "message": …}`. `headers` are headers of the response.
    """

    status: int
    message: str
    reason: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        body: dict[str, Any] = {"detail": self.errors or self.message, "message": self.message}
        if self.status in (400, 422):
            body["errors"] = self.errors or [{"field": "", "message": self.message}]
        return body


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the error response for `exc`. Django REST framework calls this while it handles the exception."""
    return _answer(refusal_of(exc), exc, context.get("request"))


def limiting_exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the response for `exc` as exception_handler does, and count a refusal against the caller's address."""
    refusal, request = refusal_of(exc), context.get("request")
    if refusal.status < 500 and request is not None:
        refusal = _refusal_or_429(refusal, request)
    return _answer(refusal, exc, request)


def refuse_message(exc: Exception, request: HttpRequest, peer: Peer | None) -> Refusal:
    """Return the refusal of a message that raised `exc`; `peer` is its sender if the proofs held.

    The refusal is counted against the caller's address, and the journal tells of a refused POST.
    """
    refusal = refusal_of(exc)
    if refusal.status < 500:
        refusal = _refusal_or_429(refusal, request)
        if request.method == "POST":
            is_replaced = refusal.reason.startswith(f"{RateLimitedError.__name__}: ")
            _see_message(refusal, request, peer, detail=OF_ADDRESS if is_replaced else detail_of(exc))
    _write(refusal, exc, request)
    return refusal


def _answer(refusal: Refusal, exc: Exception, request: Request | None) -> Response:
    _write(refusal, exc, request)
    response = Response(refusal.body, status=refusal.status, headers=refusal.headers)
    if refusal.status < 500:
        # Otherwise Django writes a second line without the reason (django.utils.log.log_response).
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _write(refusal: Refusal, exc: Exception, request: Request | HttpRequest | None) -> None:
    if refusal.status >= 500:
        logger.error("Unexpected error while answering a peer", exc_info=exc)
    else:
        _log_refusal(refusal, request)


def refusal_of(exc: Exception) -> Refusal:
    """Return the refusal for an exception. Only the type of the exception decides the status, never its text."""
    if isinstance(exc, ProtocolError):
        return _of_protocol(exc)
    if isinstance(exc, HubError):
        message = exc.message if exc.status_hint < 500 or exc.status_hint == 501 else INTERNAL_ERROR
        headers = CHALLENGE if exc.status_hint == 401 else {}
        if isinstance(exc, RateLimitedError | BeforeRestoreError):
            headers = {"Retry-After": str(exc.retry_after_seconds)}
        return Refusal(exc.status_hint, message, f"{type(exc).__name__}: {exc.__cause__ or exc}", headers=headers)
    known = as_api_exception(exc)
    if known is None:
        return Refusal(500, INTERNAL_ERROR, type(exc).__name__)
    return _of_framework(known)


def _of_protocol(exc: ProtocolError) -> Refusal:
    reason = f"{type(exc).__name__}: {exc}"
    if isinstance(exc, MalformedMessage | DelegationError):
        return Refusal(exc.status_hint, str(exc), reason)
    if exc.status_hint == 401:
        # The name of the failed check helps an honest peer to correct its clock or keys; details stay in the log.
        return Refusal(401, type(exc).__name__, reason, headers=CHALLENGE)
    return Refusal(exc.status_hint, type(exc).__name__, reason)


def _of_framework(exc: APIException) -> Refusal:
    texts = list(messages(exc.detail))
    message, headers = "; ".join(texts), api_error_headers(exc)
    if exc.status_code == 401:
        return Refusal(401, UNPROVEN, message, headers=CHALLENGE | headers)
    if isinstance(exc, ValidationError):
        fields = [text.partition(": ") for text in texts]
        errors = [{"field": path if colon else "", "message": rest or path} for path, colon, rest in fields]
        return Refusal(422, message, "ValidationError", errors, headers)
    status = 422 if isinstance(exc, BadRequestError | ParseError) else exc.status_code
    return Refusal(status, message, type(exc).__name__, headers=headers)


def _refusal_or_429(refusal: Refusal, request: Request | HttpRequest) -> Refusal:
    """Count a refusal against the caller's address; return the refusal, or a 429 if the address has too many."""
    try:
        if refusal.status != HTTPStatus.TOO_MANY_REQUESTS:
            spend_refusal(request.META.get("REMOTE_ADDR", ""))
    except RateLimitedError as exc:
        return replace(refusal_of(exc), reason=f"{type(exc).__name__}: {refusal.reason}")
    return refusal


def _see_message(refusal: Refusal, request: HttpRequest, peer: Peer | None, *, detail: str) -> None:
    """Let the journal tell of a refused message."""
    see_refusal(
        refusal.reason.partition(":")[0],
        status=refusal.status,
        address=request.META.get("REMOTE_ADDR", ""),
        peer=peer,
        # Empty where the body was not read, such as a body that is too long.
        body=getattr(request, "_body", b""),
        detail=detail,
        shown_key=header_of(request, PUBLIC_KEY_HEADER) or "",
    )


def _log_refusal(refusal: Refusal, request: Request | HttpRequest | None) -> None:
    """Count the refusal by the class of its reason, and write the log line."""
    kind = refusal.reason.partition(":")[0]
    with _refusals_lock:
        _refusals[kind] += 1
        count = _refusals[kind]
    REFUSED.add(kind or f"HTTP{refusal.status}")
    who = f"{request.method} {request.path} from {request.META.get('REMOTE_ADDR', '?')}" if request else "a call"
    # ascii() keeps line breaks in an unknown sender's text from starting another log line.
    what = ascii(f"{who}: {refusal.status} {refusal.reason[:MAX_LOGGED_CHARS]}")
    logger.warning("Refused %s (%s %d)", what, kind, count)


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error that no view of the protocol raised, such as a 404 for an unknown path."""
    return Refusal(status, message, reason="").body
