"""What can go wrong, by what the caller can do about it.

Services raise these; one exception handler (core.api.errors) turns the type into the contract's status and body.
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """The base of every error that a caller is told about; `message` is safe to show."""

    status_hint: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequestError(HubError):
    """The request cannot be meant like this; the message names the field."""

    status_hint = 400
    code = "invalid_request"


class UnauthenticatedError(HubError):
    """Nothing in the request proves who sent it; the message tells the caller little, the log why."""

    status_hint = 401
    code = "unauthenticated"


class ForbiddenError(HubError):
    """Whoever sent the request may not ask for it."""

    status_hint = 403
    code = "forbidden"


class NotFoundError(HubError):
    """There is no such thing, or none that the caller may know of."""

    status_hint = 404
    code = "not_found"


class ConflictError(HubError):
    """The thing's present state does not allow it; trying again later may."""

    status_hint = 409
    code = "conflict"


class TooManyRequestsError(HubError):
    """Too much of this is under way already."""

    status_hint = 429
    code = "too_many_requests"


class InternalError(HubError):
    """The hub itself failed; the message says at what."""


class NotImplementedYetError(HubError):
    """The contract names it, but this version has no code for it."""

    status_hint = 501
    code = "not_implemented"


class ExternalServiceError(HubError):
    """A service that the hub depends on failed; the message carries its text."""

    status_hint = 502
    code = "external_service_error"
