"""The calls of the federation clients as values, and the readers of the responses, without network (RFC-0022)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from core.strict_json import Json, JsonMapping, JsonObject, parse_json
from peers.protocol.discovery import FederationStatus
from peers.protocol.endpoint_results import DispatchResult, ReceiveResult
from peers.protocol.envelope_signatures import ENVELOPE_KEYS
from peers.protocol.errors import MalformedMessage, ProtocolError
from peers.protocol.json_fields import require_fields, without_falsy
from peers.protocol.ucan import UCAN_HEADER

API = "/api/v1/federation"
MANIFEST_PATH = "/.well-known/openintent-federation.json"
MAX_ANSWER_BYTES = 1_048_576
_RETRYABLE = frozenset({408, 425, 429})


class FederationClientError(Exception):
    """A call of a federation client did not get a usable response."""


class RequestRefused(FederationClientError):
    """The server refuses the request, and will refuse the same request again.

    `status_code` is the HTTP status of the response, `errors` its list of field errors.
    """

    def __init__(self, status_code: int, message: str, errors: list[Json] | None = None) -> None:
        super().__init__(f"{status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.errors = errors or []


class TryAgainLater(FederationClientError):
    """The server sent no response, or asks for a retry.

    `retry_after_seconds` is the pause that the server names, None if the server names none.
    """

    def __init__(self, message: str, *, status_code: int | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.retry_after_seconds = retry_after_seconds


class UnexpectedAnswer(FederationClientError):
    """The protocol does not define the response: it is a redirect, not JSON, too long, or about another dispatch."""


MAX_PAGES = 1000
"""The pages of one list that a client reads: a server could answer with new cursors for ever."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a function of this module describes and a federation client signs and sends.

    `target` is a path on the server or an absolute URL. `payload` is the JSON body, None for an empty body.
    """

    method: str
    target: str
    payload: JsonMapping | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes of the body, which the client sends and signs."""
        return b"" if self.payload is None else json.dumps(self.payload, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response that a federation client received, for this module's readers; header names are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


def agents_call(source_server: str | None, cursor: str = "") -> Call:
    """Return the call that lists the agents visible to `source_server`, or the page of a cursor.

    The header with `source_server` proves nothing, because any sender can write it; the signature of the request proves
    the sender.
    """
    query = f"?{urlencode({'cursor': cursor})}" if cursor else ""
    return Call("GET", f"{API}/agents{query}", headers={"X-Source-Server": source_server} if source_server else {})


def dispatch_call(intent_id: str, target_server: str, optional: JsonObject) -> Call:
    """Return the call that dispatches an intent; falsy optional fields are omitted."""
    payload: JsonObject = {"intent_id": intent_id, "target_server": target_server}
    return Call("POST", f"{API}/dispatch", payload | without_falsy(optional))


def envelope_call(envelope: JsonMapping, ucan: str | None = None) -> Call:
    """Return the call that delivers an unchanged envelope, with a delegation token if there is one.

    Raises MalformedMessage for keys outside the 16 known ones: a peer that rebuilds the envelope loses them.
    """
    if unknown := envelope.keys() - ENVELOPE_KEYS:
        raise MalformedMessage(f"not keys of an envelope: {', '.join(sorted(unknown))}")
    return Call("POST", f"{API}/receive", envelope, {UCAN_HEADER: ucan} if ucan else {})


def read_object(answer: Answer) -> JsonObject:
    """Return the JSON object of a response, {} for an empty body; raises a FederationClientError."""
    value = _read_json(answer) if answer.body or answer.status_code >= 300 else {}
    if not isinstance(value, dict):
        raise UnexpectedAnswer("the answer is not a JSON object")
    return value


def read_status(answer: Answer) -> FederationStatus:
    """Return the status; raises a FederationClientError."""
    try:
        return FederationStatus.from_dict(_read_with_fields(answer, "enabled"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the status cannot be read: {exc}") from exc


def read_agents(answer: Answer) -> list[JsonObject]:
    """Return the agents, from `{"agents": […]}` or a bare list; raises a FederationClientError."""
    value = _read_json(answer)
    listed = value.get("agents") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise UnexpectedAnswer("the answer does not list agents")
    agents = [agent for agent in listed if isinstance(agent, dict)]
    if len(agents) != len(listed):
        raise UnexpectedAnswer("an agent is not a JSON object")
    return agents


def read_next_cursor(answer: Answer) -> str:
    """Return the cursor of the next page of agents, "" on the last page; raises a FederationClientError."""
    value = _read_json(answer)
    cursor = value.get("next_cursor") if isinstance(value, dict) else None
    return cursor if isinstance(cursor, str) else ""


def read_dispatch_result(answer: Answer) -> DispatchResult:
    """Return the dispatch result; raises a FederationClientError."""
    try:
        return DispatchResult.from_dict(_read_with_fields(answer, "dispatch_id", "status"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the dispatch result cannot be read: {exc}") from exc


def read_receive_result(answer: Answer, dispatch_id: str) -> ReceiveResult:
    """Return the receive result of this dispatch; raises a FederationClientError."""
    try:
        result = ReceiveResult.from_dict(_read_with_fields(answer, "dispatch_id", "accepted"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the receive result cannot be read: {exc}") from exc
    if result.dispatch_id != dispatch_id:
        raise UnexpectedAnswer("the answer is about another dispatch")
    return result


def _read_with_fields(answer: Answer, *names: str) -> JsonObject:
    data = read_object(answer)
    require_fields(data, names)
    return data


def _read_json(answer: Answer) -> Json:
    if answer.status_code in _RETRYABLE or answer.status_code >= 500:
        raise TryAgainLater(
            f"{answer.status_code}: {_read_refusal(answer)[0]}",
            status_code=answer.status_code,
            retry_after_seconds=_retry_after(answer.headers.get("retry-after", "")),
        )
    if answer.status_code >= 400:
        message, errors = _read_refusal(answer)
        raise RequestRefused(answer.status_code, message, errors)
    if answer.status_code >= 300:
        raise UnexpectedAnswer(f"{answer.status_code}: redirects are not followed")
    try:
        return parse_json(answer.body, max_bytes=MAX_ANSWER_BYTES)
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the answer cannot be read: {exc}") from exc


def _read_refusal(answer: Answer) -> tuple[str, list[Json]]:
    """Return the text and the field errors of an error body, from `detail`, `message` and `errors`."""
    try:
        body = parse_json(answer.body, max_bytes=MAX_ANSWER_BYTES)
    except ProtocolError:
        return "no readable reason", []
    if not isinstance(body, dict):
        return "no readable reason", []
    detail, errors = body.get("detail"), body.get("errors")
    message = detail if isinstance(detail, str) else body.get("message")
    listed = errors if isinstance(errors, list) else detail
    return message if isinstance(message, str) else "no readable reason", listed if isinstance(listed, list) else []


def _retry_after(value: str) -> int | None:
    # RFC 9110, section 10.2.3, but only the form in seconds: a date would need the clock of this machine.
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else None
