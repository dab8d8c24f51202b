"""The faults of one request to a runtime: an HTTP refusal, a broken connection, or an answer that does not come."""

from __future__ import annotations

import json
from http import HTTPStatus

import httpx2

from federations.providers.agentcore import retry
from federations.providers.agentcore.bounds import EnrichmentError

_METHOD_NOT_FOUND = -32601
_UNSUPPORTED_REVISION = -32022
# A JSON-RPC error with one of these codes will not pass, whatever the HTTP status.
_LASTING_CODES = frozenset({_METHOD_NOT_FOUND, _UNSUPPORTED_REVISION})


class RequestFault(EnrichmentError):
    """Raised for a request that failed. `is_passing` tells whether the same request may succeed later.

    `retry_after` is the header `Retry-After` of the answer, or empty.
    """

    is_passing = False
    retry_after = ""


class BrokenConnectionError(RequestFault):
    """Raised where the connection cannot be opened, or ends before the end of the answer."""

    is_passing = True


class SlowAnswerError(RequestFault):
    """Raised where a try has no answer within its own time, which is shorter than that of the conversation.

    The request is not repeated, because a server that did not answer once rarely answers at once.
    """

    is_passing = True


class OutOfTimeError(RequestFault):
    """Raised where the time of the whole conversation is over."""


class RefusedError(RequestFault):
    """Raised for a response with a status outside 2xx.

    `error` is the JSON-RPC error of the body, or an empty object. `is_from_aws` tells whether AWS itself answered and
    not the runtime.
    """

    def __init__(self, response: httpx2.Response, body: bytes) -> None:
        self.status = response.status_code
        answer = _json_object(body)
        error = answer.get("error")
        self.error: dict[str, object] = error if isinstance(error, dict) else {}
        self.reason = _reason(response, answer, body)
        self.retry_after = response.headers.get("retry-after", "")
        error_type = response.headers.get("x-amzn-errortype", "")
        self.is_from_aws = bool(error_type)
        named = f"{error_type} {answer.get('__type', '')} {answer.get('code', '')}"
        self.is_passing = retry.is_passing(self.status, named) and self.error.get("code") not in _LASTING_CODES
        self.is_expired = self.status == HTTPStatus.FORBIDDEN and (
            "ExpiredToken" in named + self.reason or "security token included in the request is expired" in self.reason
        )
        super().__init__(self._line())

    def _line(self) -> str:
        try:
            line = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            line = str(self.status)
        says_more = self.reason and self.reason.lower() not in line.lower()
        return f"{line}: {self.reason}" if says_more else line


def _reason(response: httpx2.Response, answer: dict[str, object], body: bytes) -> str:
    """Return the reason in the service's words: AWS's `message`, that of a JSON-RPC error, or a plain text."""
    error = answer.get("error")
    candidates = [answer.get("message"), answer.get("Message"), error, answer.get("detail")]
    if isinstance(error, dict):
        candidates.append(error.get("message"))
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate
    is_text = response.headers.get("content-type", "").startswith("text/plain")
    return body.decode(errors="replace").strip() if is_text else ""


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
