"""What the federation clients send and how they read answers, without doing either (OpenIntent RFC-0022)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.strict_json import Json, JsonMapping, JsonObject, parse_json
from peers.protocol.discovery import FederationStatus
from peers.protocol.endpoint_results import DispatchResult, ReceiveResult
from peers.protocol.envelope_signatures import ENVELOPE_KEYS
from peers.protocol.errors import MalformedMessage, ProtocolError
from peers.protocol.json_fields import without_falsy
from peers.protocol.ucan import UCAN_HEADER

API = "/api/v1/federation"
MANIFEST_PATH = "/.well-known/openintent-federation.json"
MAX_ANSWER_BYTES = 1_048_576
_RETRYABLE = frozenset({408, 425, 429})


class FederationClientError(Exception):
    """A call that brought no usable answer."""


class RequestRefused(FederationClientError):
    """The server refuses the request; sending it again will not help.

    `status_code` is the answer's, `errors` its list of field errors.
    """

    def __init__(self, status_code: int, message: str, errors: list[Json] | None = None) -> None:
        super().__init__(f"{status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.errors = errors or []


class TryAgainLater(FederationClientError):
    """No answer, or one that says to come back; `retry_after_seconds` where the server names a time."""

    def __init__(self, message: str, *, status_code: int | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.retry_after_seconds = retry_after_seconds


class UnexpectedAnswer(FederationClientError):
    """An answer that this protocol does not know: a redirect, no JSON, too long, about something else."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be made: `target` is a path on the server, or an absolute URL; no body without a payload."""

    method: str
    target: str
    payload: JsonMapping | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes that are sent and signed."""
        return b"" if self.payload is None else json.dumps(self.payload, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: status, headers with lower-case names, the bytes of its body."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


def agents_call(source_server: str | None) -> Call:
    """List the agents visible to `source_server`, which is a claim; a signature is the proof."""
    return Call("GET", f"{API}/agents", headers={"X-Source-Server": source_server} if source_server else {})


def dispatch_call(intent_id: str, target_server: str, optional: JsonObject) -> Call:
    """Dispatch an intent; falsy optional fields are left out."""
    payload: JsonObject = {"intent_id": intent_id, "target_server": target_server}
    return Call("POST", f"{API}/dispatch", payload | without_falsy(optional))


def envelope_call(envelope: JsonMapping, ucan: str | None = None) -> Call:
    """Deliver an envelope as it stands, with a delegation token where there is one.

    Raises MalformedMessage for keys that a peer could not verify.
    """
    if unknown := envelope.keys() - ENVELOPE_KEYS:
        raise MalformedMessage(f"not keys of an envelope: {', '.join(sorted(unknown))}")
    return Call("POST", f"{API}/receive", envelope, {UCAN_HEADER: ucan} if ucan else {})


def read_object(answer: Answer) -> JsonObject:
    """Return the answer's JSON object, {} for an empty body; raises a FederationClientError."""
    value = _read_json(answer) if answer.body or answer.status_code >= 300 else {}
    if not isinstance(value, dict):
        raise UnexpectedAnswer("the answer is not a JSON object")
    return value


def read_status(answer: Answer) -> FederationStatus:
    """Return the status; raises a FederationClientError."""
    try:
        return FederationStatus.from_dict(_with(read_object(answer), "enabled"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the status cannot be read: {exc}") from exc


def read_agents(answer: Answer) -> list[JsonObject]:
    """Return the agents, from `{"agents": […]}` or a bare list; raises a FederationClientError."""
    value = _read_json(answer)
    listed = value.get("agents") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise UnexpectedAnswer("the answer lists no agents")
    agents = [agent for agent in listed if isinstance(agent, dict)]
    if len(agents) != len(listed):
        raise UnexpectedAnswer("an agent is not a JSON object")
    return agents


def read_dispatch_result(answer: Answer) -> DispatchResult:
    """Return the dispatch result; raises a FederationClientError."""
    try:
        return DispatchResult.from_dict(_with(read_object(answer), "dispatch_id", "status"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the dispatch result cannot be read: {exc}") from exc


def read_receive_result(answer: Answer, dispatch_id: str) -> ReceiveResult:
    """Return the receive result of this dispatch; raises a FederationClientError."""
    try:
        result = ReceiveResult.from_dict(_with(read_object(answer), "dispatch_id", "accepted"))
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the receive result cannot be read: {exc}") from exc
    if result.dispatch_id != dispatch_id:
        raise UnexpectedAnswer("the answer is about another dispatch")
    return result


def _read_json(answer: Answer) -> Json:
    if answer.status_code in _RETRYABLE or answer.status_code >= 500:
        raise TryAgainLater(
            f"{answer.status_code}: {_said(answer)[0]}",
            status_code=answer.status_code,
            retry_after_seconds=_retry_after(answer.headers.get("retry-after", "")),
        )
    if answer.status_code >= 400:
        message, errors = _said(answer)
        raise RequestRefused(answer.status_code, message, errors)
    if answer.status_code >= 300:
        raise UnexpectedAnswer(f"{answer.status_code}: redirects are not followed")
    try:
        return parse_json(answer.body, max_bytes=MAX_ANSWER_BYTES)
    except ProtocolError as exc:
        raise UnexpectedAnswer(f"the answer cannot be read: {exc}") from exc


def _said(answer: Answer) -> tuple[str, list[Json]]:
    """Return what an error body says, whatever it is: `message` or `detail`, and `errors`."""
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
    # RFC 9110, section 10.2.3; the form with a date is not worth a second clock.
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _with(data: JsonObject, *names: str) -> JsonObject:
    if absent := [name for name in names if name not in data]:
        raise MalformedMessage(f"missing: {', '.join(absent)}")
    return data
