"""Receipts of work that a peer did: compared with this hub's book, and countersigned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from peers.models import Dispatch, DispatchReceipt, Peer
from peers.protocol import SigningKey, canonical_bytes, idempotency_digest
from peers.protocol.receipts import COUNTERSIGNATURE_HEADER, RECEIPT_HEADER, Countersignature, Receipt
from peers.services.outbox.delegations import delegation_of
from peers.services.trust.identity import hub_identity
from tests.api.peers.callbacks import CALLBACK, attestation, callback, dispatch_to
from tests.api.peers.partner import HUB_DID, Partner, body_of, deliver, send
from tests.api.peers.test_checkpoints import exchange

META = "HTTP_FEDHUB_RECEIPT"


@pytest.fixture
def dispatch(alpha: Partner, alpha_peer: Peer) -> Dispatch:
    """A dispatch to the first partner."""
    return dispatch_to(alpha)


def sha(data: Any) -> str:
    return hashlib.sha256(canonical_bytes(data)).hexdigest()


def end(partner: Partner, dispatch: Dispatch, peer: Peer) -> tuple[bytes, Receipt]:
    """Return the callback that ends the work, and the partner's receipt of it."""
    stated = attestation(partner, dispatch.pk)
    message = partner.sign(callback(dispatch.pk, "completed", attestation=stated, idempotency_key="end"))
    receipt = Receipt(
        by="receiver",
        dispatch=dispatch.pk,
        sender=HUB_DID,
        receiver=partner.identity.did,
        intent=idempotency_digest(json.loads(dispatch.envelope)),
        delegation=hashlib.sha256(delegation_of(dispatch, peer).encode()).hexdigest(),
        policy="p" * 64,
        decision="accepted",
        outcome="completed",
        result=sha(message),
        usage=sha(stated["usage"]),
        log="ab" * 16,
        position=7,
        at=datetime.now(UTC).isoformat(),
    )
    return body_of(message), receipt.signed(partner.key)


def report(partner: Partner, body: bytes, header: str | None) -> Any:
    """POST a callback, with a receipt or without."""
    meta = {META: header} if header else {}
    answer = send(body, partner.headers(body, path=CALLBACK) | meta, path=CALLBACK)
    assert answer.status_code == 200
    return answer


def test_a_receipt_is_countersigned_and_a_copy_gets_the_same_answer(
    alpha: Partner, alpha_peer: Peer, dispatch: Dispatch
) -> None:
    body, receipt = end(alpha, dispatch, alpha_peer)
    first = report(alpha, body, receipt.to_header()).headers[COUNTERSIGNATURE_HEADER]
    again = report(alpha, body, receipt.to_header()).headers[COUNTERSIGNATURE_HEADER]
    assert first == again
    made = Countersignature.from_header(first)
    made.verify(hub_identity().verification_keys)
    assert (made.receipt, made.signer, made.differs) == (receipt.digest, HUB_DID, "")
    row = DispatchReceipt.objects.get()
    assert (row.standing, row.is_sent, row.signed_receipt, row.signed_answer) == ("both", True, receipt, made)


@pytest.mark.parametrize(
    "name", ["dispatch", "sender", "receiver", "intent", "delegation", "decision", "outcome", "result", "usage"]
)
def test_every_difference_of_the_two_books_is_named(
    alpha: Partner, alpha_peer: Peer, dispatch: Dispatch, name: str
) -> None:
    body, receipt = end(alpha, dispatch, alpha_peer)
    changes: dict[str, Any] = {name: "did:web:other.example.org"}
    changed = replace(receipt, **changes).signed(alpha.key)
    answer = report(alpha, body, changed.to_header())
    assert Countersignature.from_header(answer.headers[COUNTERSIGNATURE_HEADER]).differs == name
    assert list(DispatchReceipt.objects.values_list("standing", "differs")) == [("differs", name)]


def test_a_peer_without_receipts_leaves_one_signature_until_one_comes(
    alpha: Partner, alpha_peer: Peer, dispatch: Dispatch
) -> None:
    body, receipt = end(alpha, dispatch, alpha_peer)
    forged = receipt.signed(SigningKey(b"x" * 32)).to_header()
    for header in (None, "garbage", "A" * 5000, forged, replace(receipt, position=8).to_header()):
        assert COUNTERSIGNATURE_HEADER not in report(alpha, body, header).headers
        row = DispatchReceipt.objects.get()
        assert (row.standing, row.signed_receipt.by, row.signed_answer) == ("one", "sender", None)
        row.signed_receipt.verify(hub_identity().verification_keys)
    report(alpha, body, receipt.to_header())
    assert DispatchReceipt.objects.get().standing == "both"


def test_a_rejection_carries_a_receipt_and_the_exchange_brings_its_countersignature(
    alpha: Partner, alpha_peer: Peer
) -> None:
    envelope = alpha.signed(federation_policy={"budget": {"max_llm_tokens": 0}})
    first, again = (deliver(alpha, envelope).headers[RECEIPT_HEADER] for _ in range(2))
    assert RECEIPT_HEADER not in deliver(alpha, alpha.signed()).headers
    receipt = Receipt.from_header(first)
    receipt.verify(hub_identity().verification_keys)
    assert first == again
    assert (receipt.decision, receipt.outcome, receipt.result) == ("rejected", "rejected", "")
    assert (receipt.sender, receipt.intent) == (alpha.identity.did, idempotency_digest(envelope))

    values = {"receipt": receipt.digest, "signer": alpha.identity.did, "differs": "", "log": "", "position": 0}
    answer = Countersignature(**values, at="2026-01-01T00:00:00.000000Z")  # type: ignore[arg-type]
    wrong = (replace(answer, receipt="0" * 64).signed(alpha.key), answer.signed(SigningKey(b"x" * 32)))
    for sent, confirmed, standing in (
        *(([{"dispatch": receipt.dispatch, "countersignature": each.to_dict()}], [], "one") for each in wrong),
        ("garbage", [], "one"),
        ([{"dispatch": ["x"]}, {"dispatch": "unknown"}], [], "one"),
        (
            [{"dispatch": receipt.dispatch, "countersignature": answer.signed(alpha.key).to_dict()}],
            [receipt.dispatch],
            "both",
        ),
    ):
        assert exchange(alpha, None, countersignatures=sent).json()["countersigned"] == confirmed
        assert DispatchReceipt.objects.get().standing == standing
