"""The views of the endpoints to which peers post messages: receive, callback and exchange of checkpoints.

Theory of operation. These are plain views of Django, because other organizations wait for them and they need nothing of
Django REST framework but its errors. Each view reads and bounds the request, proves its sender (`prove`), then lets the
proven message act (`act`). Every exception becomes an answer in the protocol's form. `peers.api.schema` describes the
endpoints by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from peers.services.inbox.callbacks import ProvenCallback, accept_callback, prove_callback
from peers.services.inbox.log_exchange import ProvenExchange, answer_exchange, prove_exchange
from peers.services.inbox.receipts import countersign
from peers.services.inbox.receive.prove_sender import Submission, prove_known_sender, prove_submission
from peers.services.inbox.receive.store import expect_submission, receive_all
from peers.services.inbox.receive.store import receive as receive_submission
from peers.services.outbox.receipts import rejection_headers
from peers.services.trust.identity import DISABLED, is_enabled
from peers.services.trust.log_checkpoints import own_checkpoint_header, pass_on
from peers.services.trust.proofs import IncomingRequest

JSON = "application/json"

Proven = TypeVar("Proven")
Body = dict[str, Any]
View = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Proven]):
    """What an endpoint does: `prove` returns the proven message, and `act` its answer's body and headers.

    `peer_of` returns the sender of a proven message. `prove` and `act` raise HubError or ProtocolError.
    """

    prove: Callable[[IncomingRequest, HttpRequest], Proven]
    peer_of: Callable[[Proven], Peer]
    act: Callable[[Proven, HttpRequest], tuple[Body, dict[str, str]]]

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the response to a request; only a proven message can change anything."""
        peer: Peer | None = None
        try:
            proven = self.prove(_incoming_message(request), request)
            peer = self.peer_of(proven)
            return _answered(request, peer, *self.act(proven, request))
        except Exception as exc:  # noqa: BLE001 - an unforeseen error is logged and answered with 500
            return _refused(exc, request, peer or getattr(exc, "peer", None))


def _prove_submission(message: IncomingRequest, request: HttpRequest) -> Submission:
    return prove_submission(message, _delegation_of(request), timezone.now())


def _delegation_of(request: HttpRequest) -> str:
    return (header_of(request, UCAN_HEADER) or "").strip()


def _receive(submission: Submission, request: HttpRequest) -> tuple[Body, dict[str, str]]:
    return _told(submission, receive_submission(submission, now=timezone.now()))


def _told(submission: Submission, result: ReceiveResult) -> tuple[Body, dict[str, str]]:
    headers = {} if result.accepted else rejection_headers(submission.proof.peer, result.dispatch_id)
    return result.to_dict(), dict(headers)


def _accept_callback(callback: ProvenCallback, request: HttpRequest) -> tuple[Body, dict[str, str]]:
    body = accept_callback(callback, now=timezone.now())
    receipt = header_of(request, RECEIPT_HEADER) or ""
    answer = countersign(callback.proof.peer, callback.dispatch_id, receipt, now=timezone.now())
    return body, {COUNTERSIGNATURE_HEADER: answer} if answer else {}


def _answer_exchange(exchange: ProvenExchange, request: HttpRequest) -> tuple[Body, dict[str, str]]:
    return answer_exchange(exchange, now=timezone.now()), {}


_RECEIVE = Endpoint(_prove_submission, lambda submission: submission.proof.peer, _receive)
_CALLBACK = Endpoint(
    lambda message, _: prove_callback(message, now=timezone.now()),
    lambda callback: callback.proof.peer,
    _accept_callback,
)
_EXCHANGE = Endpoint(
    lambda message, _: prove_exchange(message, now=timezone.now()), lambda exchange: exchange.peer, _answer_exchange
)


@schema.described_by(schema.ReceiveDescription)
@csrf_exempt
def receive(request: HttpRequest) -> HttpResponse:
    """Store an intent of a peer, once, then answer."""
    with expect_submission():
        return _RECEIVE.answer(request)


class BegunReceive(HttpResponse):
    """The response to a receive of which only the sender is proved yet; `end_receives` gives it its status and body."""

    def __init__(self, request: HttpRequest, submission: Submission) -> None:
        """Keep the request and what it submits."""
        super().__init__(content_type=JSON)
        self.begun, self.submission = request, submission

    def end(self, result: ReceiveResult | Exception) -> None:
        """Turn this response into the answer that tells the result, or refuses the request."""
        peer = self.submission.proof.peer
        try:
            if isinstance(result, Exception):
                raise result
            told = _answered(self.begun, peer, *_told(self.submission, result))
        except Exception as exc:  # noqa: BLE001 - an unforeseen error is logged and answered with 500
            told = _refused(exc, self.begun, peer)
        self.status_code, self.content = told.status_code, told.content
        for name, value in told.items():
            self.headers[name] = value


class NotBegun(HttpResponse):
    """Stands for the response to a receive that `receive` must answer: its sender is not known, or it is refused."""


def begin_receive(request: HttpRequest) -> BegunReceive | NotBegun:
    """Prove the sender of a receive without a query, as one of many that `end_receives` ends together."""
    try:
        message = _incoming_message(request)
    except Exception:  # noqa: BLE001 - `receive` finds it again, and answers it
        return NotBegun()
    submission = prove_known_sender(message, _delegation_of(request), timezone.now())
    return BegunReceive(request, submission) if submission else NotBegun()


def end_receives(begun: Sequence[BegunReceive]) -> tuple[list[ReceiveResult | Exception], Callable[[], None] | None]:
    """Store what the begun receives submit, and return what each must tell by `BegunReceive.end`, in their order.

    Also return a function to call after the answers, if workers are to be nudged: it may wait for the broker.
    """
    return receive_all([each.submission for each in begun], now=timezone.now())


@schema.described_by(schema.CallbackDescription)
@csrf_exempt
def callback(request: HttpRequest) -> HttpResponse:
    """Store a callback of the peer that got the dispatch, once, then answer."""
    return _CALLBACK.answer(request)


@schema.described_by(schema.CheckpointsDescription)
@csrf_exempt
def checkpoints(request: HttpRequest) -> HttpResponse:
    """Store the peer's newest checkpoint, then answer with this hub's, and with those of the peer that it holds."""
    return _EXCHANGE.answer(request)


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
