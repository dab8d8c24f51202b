"""Receipts of work that this hub did: signed with the callback that ends it, and countersigned by the peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from peers.models import DispatchReceipt, OutboundCallback
from peers.protocol import UCAN_HEADER, SigningKey, idempotency_digest
from peers.protocol.federation_log import EXCHANGE_PATH
from peers.protocol.receipts import COUNTERSIGNATURE_HEADER, RECEIPT_HEADER, Countersignature, Receipt
from peers.services.inbox.work_progress import complete, report_progress
from peers.services.outbox.delivery import deliver_callback, deliver_dispatch
from peers.services.outbox.log_exchange import exchange_checkpoints
from peers.services.trust.identity import hub_identity
from tests.app.peers.outbox.conftest import KEY, Partner, identity_of, json_of, make_due


def answer(partner: Partner, header: str, **changes: Any) -> Countersignature:
    """Return the partner's countersignature for a receipt."""
    receipt = Receipt.from_header(header)
    values: dict[str, Any] = {
        "receipt": receipt.digest,
        "signer": identity_of(partner).did,
        "differs": "",
        "log": "",
        "position": 0,
    }
    return Countersignature(**(values | {"at": "2026-01-01T00:00:00.000Z"} | changes)).signed(KEY)


def deliver_all() -> None:
    """Send every owed callback, in order."""
    for row in OutboundCallback.objects.order_by("sequence"):
        make_due(row)
        deliver_callback(row.pk)


@pytest.mark.django_db
def test_the_callback_that_ends_the_work_carries_a_receipt_which_a_plain_peer_ignores(partner: Partner) -> None:
    received = partner.received(body_digest="1" * 64)
    report_progress(received.pk, state_delta={"phase": "running"}, key="first")
    complete(received.pk, state_delta={"answer": 42}, usage={"llm_tokens": 5})
    partner.answer(503)
    deliver_all()
    deliver_all()
    deliver_all()

    headers = [request.headers.get(RECEIPT_HEADER) for request in partner.requests]
    first, *rest = filter(None, headers)
    assert headers[0] is None
    assert set(rest) <= {first}
    receipt = Receipt.from_header(first)
    receipt.verify(hub_identity().verification_keys)
    assert (receipt.by, receipt.dispatch, receipt.intent) == ("receiver", received.dispatch_id, "1" * 64)
    assert (receipt.decision, receipt.outcome, receipt.sender) == ("accepted", "completed", identity_of(partner).did)
    row = DispatchReceipt.objects.get()
    assert (row.standing, row.is_sent, row.signed_receipt, row.countersignature) == ("one", False, receipt, None)


@pytest.mark.django_db
@pytest.mark.parametrize(("differs", "standing"), [("", "both"), ("intent usage", "differs")])
def test_the_peer_s_countersignature_is_kept(partner: Partner, differs: str, standing: str) -> None:
    def handle(request: Request) -> Response:
        made = answer(partner, request.headers[RECEIPT_HEADER], differs=differs)
        return Response("{}", headers={COUNTERSIGNATURE_HEADER: made.to_header()})

    complete(partner.received().pk, state_delta={}, usage={})
    partner.answers_with = handle
    deliver_all()
    row = DispatchReceipt.objects.get()
    assert (row.standing, row.differs) == (standing, differs)
    assert row.signed_answer is not None


@pytest.mark.django_db
def test_a_countersignature_that_does_not_hold_is_not_kept(partner: Partner) -> None:
    received = [partner.received() for _ in range(4)]
    for each in received:
        complete(each.pk, state_delta={}, usage={})
    forgeries: Iterator[Callable[[Countersignature], str]] = iter(
        [
            lambda good: replace(good, differs="intent").to_header(),
            lambda good: replace(good, receipt="0" * 64).signed(KEY).to_header(),
            lambda good: replace(good, signer="did:web:other.example.org").signed(KEY).to_header(),
            lambda good: good.signed(SigningKey(b"x" * 32)).to_header(),
        ]
    )

    def handle(request: Request) -> Response:
        forged = next(forgeries)(answer(partner, request.headers[RECEIPT_HEADER]))
        return Response("{}", headers={COUNTERSIGNATURE_HEADER: forged})

    partner.answers_with = handle
    deliver_all()
    assert set(DispatchReceipt.objects.values_list("standing", "countersignature")) == {("one", None)}
    assert OutboundCallback.objects.filter(delivered_at=None).count() == 0


@pytest.mark.django_db
def test_a_rejection_is_countersigned_and_owed_until_the_peer_confirms_it(
    partner: Partner, httpserver: HTTPServer
) -> None:
    rejection = '{"accepted": false, "message": "no budget"}'

    def handle(request: Request) -> Response:
        envelope = json_of(request)
        receipt = Receipt(
            by="receiver",
            dispatch=str(envelope["dispatch_id"]),
            sender=hub_identity().did,
            receiver=identity_of(partner).did,
            intent=idempotency_digest(envelope),
            delegation=sha256(request.headers[UCAN_HEADER].encode()).hexdigest(),
            policy="p" * 64,
            decision="rejected",
            outcome="rejected",
            result="",
            usage="",
            log="",
            position=0,
            at="2026-01-01T00:00:00.000000Z",
        )
        headers = {RECEIPT_HEADER: receipt.signed(KEY).to_header()} if len(partner.requests) == 1 else {}
        return Response(rejection, headers=headers, content_type="application/json")

    partner.answers_with = handle
    dispatches = [partner.dispatch() for _ in range(2)]
    for dispatch in dispatches:
        deliver_dispatch(dispatch.pk)
    rows = DispatchReceipt.objects.order_by("made_at").values_list("standing", "differs", "is_owed", "outcome")
    assert list(rows) == [("both", "", True, "rejected"), ("one", "", False, "rejected")]

    for confirmed, is_owed in (([], True), ([dispatches[1].pk, 3], True), ([dispatches[0].pk], False)):
        answer = {"checkpoint": None, "held": [], "countersigned": confirmed}
        httpserver.expect_ordered_request(EXCHANGE_PATH, method="POST").respond_with_json(answer)
        exchange_checkpoints(partner.peer.pk, now=timezone.now())
        sent = json_of(httpserver.log[-1][0])["countersignatures"]
        row = DispatchReceipt.objects.get(dispatch_id=dispatches[0].pk)
        assert sent == [{"dispatch": dispatches[0].pk, "countersignature": row.countersignature}]
        assert row.is_owed == is_owed
