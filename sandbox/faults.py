"""Planned faults, and the error responses in the formats of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from starlette.responses import Response

from core.strict_json import JsonObject
from sandbox.runtime_specs import InvalidSpecError

# The HTTP status and the text of AWS for each error code.
ERRORS = {
    "ThrottlingException": (429, "Rate exceeded"),
    "AccessDeniedException": (403, "User is not authorized to perform this action"),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "InvalidSignatureException": (
        403,
        "The request signature we calculated does not match the signature you provided.",
    ),
    "MissingAuthenticationTokenException": (403, "Missing Authentication Token"),
    "IncompleteSignatureException": (403, "The request signature is incomplete"),
    "ServiceQuotaExceededException": (402, "Service quota exceeded"),
    "RetryableConflictException": (409, "The session is being changed by another request. Try again."),
    "RuntimeClientError": (424, "Runtime health check failed or timed out"),
    "ResourceNotFoundException": (404, "The resource was not found"),
    "ValidationException": (400, "The input fails to satisfy the constraints"),
    "InternalServerException": (500, "An internal error occurred"),
    "ServiceUnavailableException": (503, "The service is unavailable"),
}

# STS uses AWS's older query protocol, which has other names for the same errors.
_STS_CODES = {
    "ThrottlingException": "Throttling",
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "ValidationException": "ValidationError",
    "InternalServerException": "InternalFailure",
    "ServiceUnavailableException": "ServiceUnavailable",
}

OPERATIONS = (
    "ListAgentRuntimes",
    "GetAgentRuntime",
    "ListTagsForResource",
    "AssumeRole",
    "InvokeAgentRuntime",
    "GetAgentCard",
)


def aws_error(code: str, message: str = "", *, status: int | None = None) -> Response:
    """Return an error in the REST-JSON format of the AgentCore APIs."""
    usual_status, usual_message = ERRORS[code]
    return Response(
        json.dumps({"message": message or usual_message}),
        status_code=status or usual_status,
        media_type="application/json",
        headers={"x-amzn-ErrorType": code},
    )


def sts_error(code: str, message: str = "") -> Response:
    """Return an error in the XML format of STS; `code` is the AgentCore name of the same error."""
    status, usual_message = ERRORS[code]
    text = (message or usual_message).replace("&", "&amp;").replace("<", "&lt;")
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{_STS_CODES.get(code, code)}</Code><Message>{text}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return Response(body, status_code=400 if status == 429 else status, media_type="text/xml")


@dataclass(slots=True)
class Fault:
    """A fault that a caller of the admin API planned: the next `times` matching calls of `operation` fail with `error`.

    `times` is the number of failures that are left; each failure lowers `times` by 1. `page` is the page of
    ListAgentRuntimes that fails, counted from 1; None matches every call. `runtime` is the id, name or ARN of the
    called runtime (for STS, the ARN of the role); None matches every runtime. `message` is the text of the AWS error.
    """

    operation: str
    error: str
    times: int = 1
    page: int | None = None
    runtime: str | None = None
    message: str = ""

    def matches(self, operation: str, page: int | None, names: tuple[str, ...]) -> bool:
        """Tell whether this fault has failures left and matches the call to the runtime that `names` names."""
        if self.times < 1 or self.operation != operation:
            return False
        return self.page in (None, page) and (self.runtime is None or self.runtime in names)


class Faults:
    """The planned faults, and the latency of every call, for the control plane and the data plane.

    The admin API plans the faults and sets the latency; both planes call `take` before each call that they serve.
    """

    def __init__(self, *, latency_seconds: float = 0.0) -> None:
        self.latency_seconds = latency_seconds
        self._faults: list[Fault] = []
        self._lock = Lock()

    def plan(self, faults: Iterable[Fault]) -> None:
        """Replace the planned faults by `faults`."""
        with self._lock:
            self._faults = list(faults)

    def take(self, operation: str, *, page: int | None = None, names: tuple[str, ...] = ()) -> Fault | None:
        """Return the first fault that matches this call, and lower its `times` by 1; None if no fault matches."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(operation, page, names):
                    fault.times -= 1
                    return fault
        return None

    def pending(self) -> int:
        """Return how many failures are still planned: the sum of the `times` of all faults."""
        with self._lock:
            return sum(fault.times for fault in self._faults)


def parse_fault(entry: JsonObject) -> Fault:
    """Return the fault that the admin API's `{operation, error, times, page, id, message}` describes.

    Raises InvalidSpecError.
    """
    operation, error = entry.get("operation"), entry.get("error", "InternalServerException")
    times, page = entry.get("times", 1), entry.get("page")
    if operation not in OPERATIONS:
        raise InvalidSpecError(f"operation must be one of {', '.join(OPERATIONS)}")
    if error not in ERRORS:
        raise InvalidSpecError(f"error must be one of {', '.join(ERRORS)}")
    if not isinstance(times, int) or not (page is None or isinstance(page, int)):
        raise InvalidSpecError("times and page must be numbers")
    runtime = entry.get("id")
    return Fault(
        str(operation),
        str(error),
        times,
        page,
        None if runtime is None else str(runtime),
        str(entry.get("message", "")),
    )
