"""The errors of services, one class for each reaction that a caller can have.

The exception handler in core.api.errors turns the class into the status and the body of the contract.
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """The base of the errors that a caller is told about; `message` is safe to show."""

    status_hint: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequestError(HubError):
    """The request does not fit the contract; the message names the field."""

    status_hint = 400
    code = "invalid_request"


class UnauthenticatedError(HubError):
    """The request does not prove its sender. The message tells the caller little; the log has the reason."""

    status_hint = 401
    code = "unauthenticated"


class ForbiddenError(HubError):
    """The sender of the request has no right to the action."""

    status_hint = 403
    code = "forbidden"


class NotFoundError(HubError):
    """The object does not exist, or the caller may not know of it."""

    status_hint = 404
    code = "not_found"


class ConflictError(HubError):
    """The present state of the object does not allow the action; a later attempt may succeed."""

    status_hint = 409
    code = "conflict"


class TooManyRequestsError(HubError):
    """Too many actions of this kind are under way already."""

    status_hint = 429
    code = "too_many_requests"


class InternalError(HubError):
    """The hub itself failed; the message names the step."""


class NotImplementedYetError(HubError):
    """The contract names the action, and this version does not implement it."""

    status_hint = 501
    code = "not_implemented"


class ExternalServiceError(HubError):
    """A service that the hub depends on failed; the message contains the text of that service."""

    status_hint = 502
    code = "external_service_error"
