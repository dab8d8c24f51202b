"""The views of the endpoints to which peers post messages: receive, callback and exchange of checkpoints.

Theory of operation. These are plain views of Django, because other organizations wait for them and they need nothing of
Django REST framework but its errors. Each view reads and bounds the request, proves its sender (`prove`), lets the
proven message act (`act`), and tells the result (`told`). Every exception becomes an answer in the protocol's form. The
front lets the receives and callbacks of one moment go through these steps together (`begin`, then `end_receives` or
`end_callbacks`), and leaves to the views what is refused or needs more queries. `peers.api.schema` describes the
endpoints by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType

from core.api.authentication import presented_tokens
from core.api.viewsets import check_body_readable
from core.errors import InvalidRequestError
from peers.api import schema
from peers.api.authentication import header_of, incoming_request
from peers.api.errors import refuse_message
from peers.models import Peer
from peers.protocol import UCAN_HEADER, ReceiveResult
from peers.protocol.federation_log import CHECKPOINT_HEADER
from peers.protocol.receipts import COUNTERSIGNATURE_HEADER, RECEIPT_HEADER
from peers.services.inbox.callbacks.apply import accept_callback, accept_callbacks, expect_callback
from peers.services.inbox.callbacks.prove_sender import ENDS, ProvenCallback, prove_callback, prove_known_senders
from peers.services.inbox.log_exchange import answer_exchange, prove_exchange
from peers.services.inbox.receipts import countersign
from peers.services.inbox.receive.prove_sender import Submission, prove_known_sender, prove_submission
from peers.services.inbox.receive.store import expect_submission, receive_all
from peers.services.inbox.receive.store import receive as receive_submission
from peers.services.outbox.receipts import rejection_headers
from peers.services.trust.identity import DISABLED, is_enabled
from peers.services.trust.log_checkpoints import own_checkpoint_header, pass_on
from peers.services.trust.proofs import IncomingRequest

JSON = "application/json"
MAX_TOGETHER_BYTES = 32 * 1024
"""The longest body that is answered together with others, since they wait while it is canonicalized and verified."""

Proven = TypeVar("Proven")
Result = TypeVar("Result")
Body = dict[str, Any]
View = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Proven, Result]):
    """What an endpoint does with a message: `prove` returns it with its proven sender, and `act` does what it asks for.

    `peer_of` returns the sender of a proven message, `told` the body and headers of the answer. `prove`, `act` and
    `told` raise HubError or ProtocolError.
    """

    prove: Callable[[IncomingRequest, HttpRequest], Proven]
    peer_of: Callable[[Proven], Peer]
    act: Callable[[Proven], Result]
    told: Callable[[Proven, Result, HttpRequest], tuple[Body, dict[str, str]]]

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the response to a request; only a proven message can change anything."""
        peer: Peer | None = None
        try:
            proven = self.prove(_incoming_message(request), request)
            peer = self.peer_of(proven)
            return self.response(proven, self.act(proven), request)
        except Exception as exc:  # noqa: BLE001 - an unforeseen error is logged and answered with 500
            return _refused(exc, request, peer or getattr(exc, "peer", None))

    def response(self, proven: Proven, result: Result | Exception, request: HttpRequest) -> HttpResponse:
        """Return the response that tells a result or an error."""
        peer = self.peer_of(proven)
        try:
            if isinstance(result, Exception):
                raise result
            return _answered(request, peer, *self.told(proven, result, request))
        except Exception as exc:  # noqa: BLE001 - an unforeseen error is logged and answered with 500
            return _refused(exc, request, peer)


# One message after the other ----------------------------------------------------------------------------------------
def _prove_submission(message: IncomingRequest, request: HttpRequest) -> Submission:
    return prove_submission(message, _delegation_of(request), timezone.now())


def _delegation_of(request: HttpRequest) -> str:
    return (header_of(request, UCAN_HEADER) or "").strip()


def _tell_receive(submission: Submission, result: ReceiveResult, request: HttpRequest) -> tuple[Body, dict[str, str]]:
    headers = {} if result.accepted else rejection_headers(submission.proof.peer, result.dispatch_id)
    return result.to_dict(), dict(headers)


def _tell_callback(callback: ProvenCallback, body: Body, request: HttpRequest) -> tuple[Body, dict[str, str]]:
    receipt = header_of(request, RECEIPT_HEADER) or ""
    if not receipt and callback.read.fields.event_type not in ENDS:
        return body, {}
    answer = countersign(callback.proof.peer, callback.dispatch_id, receipt, now=timezone.now())
    return body, {COUNTERSIGNATURE_HEADER: answer} if answer else {}


_RECEIVE = Endpoint(
    _prove_submission,
    lambda submission: submission.proof.peer,
    lambda submission: receive_submission(submission, now=timezone.now()),
    _tell_receive,
)
_CALLBACK = Endpoint(
    lambda message, _: prove_callback(message, now=timezone.now()),
    lambda callback: callback.proof.peer,
    accept_callback,
    _tell_callback,
)
_EXCHANGE = Endpoint(
    lambda message, _: prove_exchange(message, now=timezone.now()),
    lambda exchange: exchange.peer,
    lambda exchange: answer_exchange(exchange, now=timezone.now()),
    lambda _, body, __: (body, {}),
)


@schema.described_by(schema.ReceiveDescription)
@csrf_exempt
def receive(request: HttpRequest) -> HttpResponse:
    """Store an intent of a peer, once, then answer."""
    with expect_submission():
        return _RECEIVE.answer(request)


@schema.described_by(schema.CallbackDescription)
@csrf_exempt
def callback(request: HttpRequest) -> HttpResponse:
    """Store a callback of the peer that got the dispatch, once, then answer."""
    with expect_callback():
        return _CALLBACK.answer(request)


@schema.described_by(schema.CheckpointsDescription)
@csrf_exempt
def checkpoints(request: HttpRequest) -> HttpResponse:
    """Store the peer's newest checkpoint, then answer with this hub's, and with those of the peer that it holds."""
    return _EXCHANGE.answer(request)


# Many messages of one moment ----------------------------------------------------------------------------------------
class Begun(HttpResponse):
    """The response to a message that is read and not proved yet; one of the functions of BEGUN gives it its content."""

    def __init__(self, request: HttpRequest, message: IncomingRequest) -> None:
        """Keep the request and the parts of it that the proofs cover."""
        super().__init__(content_type=JSON)
        self.begun, self.message, self.is_told = request, message, False

    def take_over(self, told: HttpResponse) -> None:
        """Take the status, the content and the headers of the response that the view would give."""
        self.status_code, self.content, self.is_told = told.status_code, told.content, True
        for name, value in told.items():
            self.headers[name] = value


class NotBegun(HttpResponse):
    """Stands for the response to a request that its view must answer: it is refused, or long."""


def begin(request: HttpRequest) -> Begun | NotBegun:
    """Read and bound the request, as one of many messages that are proved and answered together."""
    try:
        message = _incoming_message(request)
    except Exception:  # noqa: BLE001 - the view finds it again, and answers it
        return NotBegun()
    return Begun(request, message) if len(message.body) <= MAX_TOGETHER_BYTES else NotBegun()


def end_receives(begun: Sequence[Begun]) -> tuple[list[Ending | None], Callable[[], None] | None]:
    """Prove the senders of receives as far as no query is needed, and store all that is proved in one transaction.

    Return for each receive the function that writes its answer, None for one that the view must judge. Also return a
    function to call after the answers, if workers are to be nudged: it may wait for the broker.
    """
    now = timezone.now()
    proven = [prove_known_sender(each.message, _delegation_of(each.begun), now) for each in begun]
    results, nudge = receive_all([each for each in proven if each], now=now)
    return _endings(_RECEIVE, begun, proven, results), nudge


def end_callbacks(begun: Sequence[Begun]) -> tuple[list[Ending | None], Callable[[], None] | None]:
    """Prove the senders of callbacks, and apply what is proved in one transaction; return what `end_receives` does."""
    proven = prove_known_senders([each.message for each in begun], now=timezone.now())
    results, nudge = accept_callbacks([each for each in proven if each])
    return _endings(_CALLBACK, begun, proven, results), nudge


Ending = Callable[[], None]


def _endings(
    endpoint: Endpoint[Proven, Result],
    begun: Sequence[Begun],
    proven: Sequence[Proven | None],
    results: Sequence[Result | Exception],
) -> list[Ending | None]:
    left = iter(results)

    def ending(response: Begun, message: Proven, result: Result | Exception) -> None:
        response.take_over(endpoint.response(message, result, response.begun))

    return [
        partial(ending, response, message, next(left)) if message is not None else None
        for response, message in zip(begun, proven, strict=True)
    ]


# Both ---------------------------------------------------------------------------------------------------------------
def _incoming_message(request: HttpRequest) -> IncomingRequest:
    """Return the parts of a POST with a JSON body that its proofs cover.

    Raises InvalidRequestError while the protocol is disabled, APIException for another method or media type or an
    unknown length, and RequestDataTooBig.
    """
    if request.method != "POST":
        raise MethodNotAllowed(request.method or "")
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    if request.content_type != JSON:
        raise UnsupportedMediaType(request.META.get("CONTENT_TYPE", ""))
    check_body_readable(request)
    return incoming_request(request, request.body, frozenset(presented_tokens(request)))


def _answered(request: HttpRequest, peer: Peer, body: Body, headers: dict[str, str]) -> HttpResponse:
    """Return the response to a proven message, and pass on the checkpoint that came with it."""
    checkpoint = own_checkpoint_header()
    pass_on(peer, header_of(request, CHECKPOINT_HEADER))
    return _response(body, headers | ({CHECKPOINT_HEADER: checkpoint} if checkpoint else {}))


def _refused(exc: Exception, request: HttpRequest, peer: Peer | None) -> HttpResponse:
    refusal = refuse_message(exc, request, peer)
    allowed = {"Allow": "POST"} if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    response = _response(refusal.body, refusal.headers | allowed, refusal.status)
    # Otherwise Django writes a second line without the reason (django.utils.log.log_response).
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _response(body: Body, headers: dict[str, str], status: int = 200) -> HttpResponse:
    """Return the JSON response, which no cache may store: it is for one caller."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    length = {"Content-Length": str(len(content)), "Cache-Control": "no-store"}
    return HttpResponse(content, status=status, content_type=JSON, headers=length | headers)
