"""Messages that are answered together: each gets the answer of the view, and what the view must judge is left to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import RequestFactory
from django.utils import timezone

from core.log_ids import REQUEST_ID, log_ids, name_ids
from fedhub.message_handler import together_handlers
from fedhub.together import Asked
from fedhub.wsgi_bridge import Answer
from peers.api import message_views
from peers.models import InboundCallback, Intent, JournalEntry, JournalKind, Peer, ReceivedDispatch, SeenNonce
from peers.protocol import JsonObject
from peers.services.inbox.callbacks import apply
from peers.services.inbox.receive import new_rows, store
from peers.services.trust import peer_cache
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import suspend_peer
from peers.services.trust.proofs import look_up_source
from peers.services.trust.replay import ALREADY_PROCESSED
from tests.api.peers.callbacks import CALLBACK, callback, dispatch_to
from tests.api.peers.partner import OPERATOR, RECEIVE, Partner, body_of, deliver, send

pytestmark = pytest.mark.django_db
SET_BY_MIDDLEWARE = ("x-content-type-options", "referrer-policy", "cross-origin-opener-policy")


def asked(partner: Partner, message: Any = None, *, number: int = 0, **meta: Any) -> Asked:
    """Return a signed request of the partner with its context, as the front gives it."""
    body = body_of(message or partner.signed())
    headers = partner.headers(body) | {REQUEST_ID: f"request-{number}"} | meta
    return RequestFactory().generic(
        "POST", RECEIVE, body, content_type="application/json", **headers
    ).environ, context()


def context() -> Context:
    return copy_context()


def together(requests: Sequence[Asked], path: str = RECEIVE) -> list[Answer | None]:
    answers, nudge = together_handlers()[path].answer_all(requests)
    if nudge:
        nudge()
    return answers


def remember(*partners: Partner) -> None:
    for partner in partners:
        peer_cache.remember(look_up_source(partner.url, timezone.now()))


def told(answer: Answer | None) -> tuple[int, Any]:
    assert answer is not None
    return answer.status, json.loads(answer.body)


def test_each_request_of_two_peers_gets_its_own_answer_as_the_view_gives_it(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    remember(alpha, beta)
    first, second, third = alpha.signed(), beta.signed(), alpha.signed()
    answers = together([asked(alpha, first), asked(beta, second), asked(alpha, third, number=3)])

    ids = [row.local_intent_id for each in (first, second, third) for row in rows_of(each)]
    assert [told(answer)[1]["local_intent_id"] for answer in answers] == ids
    assert {told(answer)[0] for answer in answers} == {200}
    whole = deliver(alpha, alpha.signed())
    assert answers[2] is not None
    headers = {name.decode(): value.decode() for name, value in answers[2].headers}
    assert headers["x-request-id"] == "request-3"
    assert headers["content-length"] == str(len(answers[2].body))
    for name in ("content-type", "cache-control", *SET_BY_MIDDLEWARE):
        assert headers[name] == whole[name]


def rows_of(message: dict[str, Any]) -> list[ReceivedDispatch]:
    return list(ReceivedDispatch.objects.filter(dispatch_id=message["dispatch_id"]))


def test_copies_and_conflicts_in_one_call_get_the_answers_of_requests_one_after_the_other(
    alpha: Partner, alpha_peer: Peer
) -> None:
    remember(alpha)
    envelope = alpha.signed()
    other = alpha.signed(dispatch_id=envelope["dispatch_id"], intent_title="Another body")
    same = asked(alpha, envelope)
    replayed = (dict(same[0]) | {"wsgi.input": asked(alpha, envelope)[0]["wsgi.input"]}, copy_context())

    first, copy, conflict, nonce = together([same, asked(alpha, envelope), asked(alpha, other), replayed])

    assert [told(first)[0], told(copy)[0], told(conflict)[0], told(nonce)[0]] == [200, 200, 409, 401]
    assert told(copy)[1]["local_intent_id"] == told(first)[1]["local_intent_id"]
    assert told(conflict)[1]["message"]
    assert len(rows_of(envelope)) == 1
    assert SeenNonce.objects.count() == 2


def test_a_suspension_after_the_proof_refuses_that_peer_alone(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    remember(alpha, beta)
    suspend_peer(alpha_peer, reason="It sends too much", by=OPERATOR)
    remember_as_it_was(alpha_peer)

    refused, accepted = together([asked(alpha), asked(beta)])

    assert told(refused)[0] == 403
    assert told(accepted)[0] == 200
    assert peer_cache.recall(alpha.url) is None


def remember_as_it_was(peer: Peer) -> None:
    source = look_up_source(peer.server_url, timezone.now())
    assert source.peer is not None
    source.peer.state = "approved"
    peer_cache.remember(source)


@pytest.mark.parametrize(
    "name", ["no hint", "a bad signature", "a token", "a coding", "a type", "no JSON", "long", "GET"]
)
def test_what_the_view_must_judge_is_left_and_nothing_is_stored(
    name: str, alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    token, body = issue_peer_token(alpha_peer, days=1, by=OPERATOR), alpha.signed()
    request = {
        "no hint": lambda: asked(beta),
        "a bad signature": lambda: asked(alpha, body | {"intent_title": "changed"}),
        "a token": lambda: asked(alpha, HTTP_AUTHORIZATION=f"Bearer {token}"),
        "a coding": lambda: asked(alpha, HTTP_CONTENT_ENCODING="gzip"),
        "a type": lambda: asked(alpha, CONTENT_TYPE="text/plain"),
        "no JSON": lambda: asked(alpha, b"{"),
        "long": lambda: asked(alpha, alpha.signed(intent_description="x" * 33_000)),
        "GET": lambda: asked(alpha, REQUEST_METHOD="GET"),
    }[name]()
    remember(alpha)

    left, accepted = together([request, asked(alpha)])

    assert left is None
    assert told(accepted)[0] == 200
    assert ReceivedDispatch.objects.count() == 1


def test_a_request_counts_once_against_its_peer_and_the_refusal_comes_from_the_view(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = 2
    remember(alpha)
    answers = together([asked(alpha), asked(alpha), asked(alpha)])
    assert [answer and answer.status for answer in answers] == [200, 200, None]
    assert deliver(alpha, alpha.signed()).status_code == 429


def test_an_address_without_refusals_left_is_left_to_the_view(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings
) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 1
    send(b"{}")
    remember(alpha)
    assert together([asked(alpha)]) == [None]


def test_an_unforeseen_error_is_answered_with_500_for_its_request_alone(
    alpha: Partner, alpha_peer: Peer, beta: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = new_rows.new_received

    def fails(submission: Any, *args: Any, **kwargs: Any) -> ReceivedDispatch:
        if submission.envelope.source_server == alpha.url:
            raise ZeroDivisionError
        return real(submission, *args, **kwargs)

    remember(alpha, beta)
    monkeypatch.setattr(store, "new_received", fails)
    failed, accepted = together([asked(alpha), asked(beta)])
    assert told(failed)[0] == 500
    assert told(accepted)[0] == 200


def test_lines_of_the_log_name_the_request_that_they_are_about(alpha: Partner, alpha_peer: Peer, beta: Partner) -> None:
    named: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            named.append(log_ids()["request_id"])

    envelope, notes = alpha.signed(), Notes()
    remember(alpha, beta)
    logging.getLogger("peers.api.errors").addHandler(notes)
    try:
        requests = [
            asked(alpha, envelope, number=1),
            asked(beta, number=2),
            asked(alpha, alpha.signed(dispatch_id=envelope["dispatch_id"], intent_title="Another body"), number=3),
        ]
        together([(environ, about(environ[REQUEST_ID])) for environ, _ in requests])
    finally:
        logging.getLogger("peers.api.errors").removeHandler(notes)
    assert named == ["request-3"]


def about(request_id: str) -> Context:
    made = copy_context()
    made.run(name_ids, request_id=request_id)
    return made


def test_a_project_with_a_view_of_its_own_answers_each_receive_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(together_handlers()) == [RECEIVE, CALLBACK]
    monkeypatch.setattr("fedhub.message_handler.receive", lambda request: message_views.receive(request))
    assert list(together_handlers()) == [CALLBACK]


def test_callbacks_of_one_dispatch_are_applied_in_their_order_and_copies_once(
    alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    Intent.objects.create(id="i-1", title="Compare three suppliers", created_by_id=OPERATOR.id)
    mine, others = dispatch_to(alpha), dispatch_to(beta)
    first = callback(mine.pk, state_delta={"step": 1, "note": "kept"}, idempotency_key="one")
    requests = [
        reported(alpha, first),
        reported(alpha, callback(mine.pk, state_delta={"step": 2}, idempotency_key="two")),
        reported(alpha, first),
        reported(alpha, callback(mine.pk, state_delta={"step": 3}, idempotency_key="two")),
        reported(beta, callback(others.pk, state_delta={"step": 9})),
        reported(beta, callback(mine.pk, state_delta={"step": 10})),
        reported(alpha, callback(mine.pk, "completed")),
        reported(alpha, callback(mine.pk, state_delta={"big": "x" * 20_000, "step": 4})),
    ]
    answers = together(requests, CALLBACK)

    assert [answer and answer.status for answer in answers] == [200, 200, 200, 409, 200, None, None, 200]
    assert told(answers[2])[1]["message"] == ALREADY_PROCESSED
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.state["step"], mine.state["note"], others.state["step"]) == (4, "kept", 9)
    assert mine.status == "accepted"
    assert InboundCallback.objects.filter(dispatch=mine).count() == 3
    assert JournalEntry.objects.filter(kind=JournalKind.CALLBACK, dispatch_id=mine.pk).count() == 3


def test_a_callback_that_is_refused_changes_nothing_of_what_comes_after_it(
    alpha: Partner, alpha_peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "MAX_STATE_BYTES", 1000)
    Intent.objects.create(id="i-1", title="Compare three suppliers", created_by_id=OPERATOR.id)
    dispatch = dispatch_to(alpha)
    answers = together(
        [
            reported(alpha, callback(dispatch.pk, state_delta={"big": "x" * 2000})),
            reported(alpha, callback(dispatch.pk, state_delta={"small": 1})),
        ],
        CALLBACK,
    )
    assert [told(answer)[0] for answer in answers] == [413, 200]
    dispatch.refresh_from_db()
    assert dispatch.state == {"small": 1}
    assert InboundCallback.objects.count() == 1
    assert SeenNonce.objects.count() == 1


def reported(partner: Partner, message: JsonObject) -> Asked:
    """Return a signed callback of the partner with its context, as the front gives it."""
    body = body_of(partner.sign(message))
    headers: dict[str, Any] = partner.headers(body, path=CALLBACK) | {REQUEST_ID: "request-0"}
    request = RequestFactory().generic("POST", CALLBACK, body, content_type="application/json", **headers)
    return request.environ, copy_context()
