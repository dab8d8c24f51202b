"""The errors that services raise, one class for each reaction that a caller can have.

The exception handler in core.api.errors turns the class of the error into the HTTP status and the error body that the
API contract defines.
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """The base of the errors that a service raises and a caller may see; `message` is safe to show to the caller.

    `detail` is a word for the hub's own log and staff, which tells apart the causes of one message; no caller sees it.
    """

    status_hint: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidRequestError(HubError):
    """The request does not fit the API contract; the message names the field of the request."""

    status_hint = 400
    code = "invalid_request"


class UnauthenticatedError(HubError):
    """The request does not prove its sender. The message tells the caller little; the log has the reason."""

    status_hint = 401
    code = "unauthenticated"


class ForbiddenError(HubError):
    """The sender of the request has no right to do what the request asks for."""

    status_hint = 403
    code = "forbidden"


class NotFoundError(HubError):
    """The object does not exist, or the caller may not know of it."""

    status_hint = 404
    code = "not_found"


class ConflictError(HubError):
    """The present state of the object does not allow what the request asks for; a later attempt may succeed."""

    status_hint = 409
    code = "conflict"


class TooEarlyError(HubError):
    """The hub cannot tell yet if it has done what the request asks for; the sender must repeat the request later."""

    status_hint = 425
    code = "too_early"


class TooManyRequestsError(HubError):
    """The sender must wait: too many requests of this kind came or have failed lately, or are under way.

    `retry_after_seconds` is the time until the next request is allowed, 0 for an unknown time.
    """

    status_hint = 429
    code = "too_many_requests"
    retry_after_seconds: int = 0


class InternalError(HubError):
    """The hub itself failed; the message names the step that failed."""


class NotImplementedYetError(HubError):
    """The API contract defines the requested action, but the hub does not implement it."""

    status_hint = 501
    code = "not_implemented"


class ExternalServiceError(HubError):
    """A service that the hub depends on failed; the message contains the text of that service."""

    status_hint = 502
    code = "external_service_error"
