"""The receiver's side of receipts: sign one with the callback that ends the work, and keep the sender's answer."""

from __future__ import annotations

import json
import logging
from hashlib import sha256

from django.utils import timezone

from peers.models import DispatchReceipt, OutboundCallback, Peer, ReceiptStanding, ReceivedDispatch
from peers.protocol import JsonObject, ProtocolError, canonical_bytes, did_of_url
from peers.protocol.did import is_same_did
from peers.protocol.envelope_signatures import SignedObject
from peers.protocol.errors import SignatureMismatch
from peers.protocol.receipts import COUNTERSIGNATURE_HEADER, RECEIPT_HEADER, Countersignature, Receipt
from peers.protocol.ucan import split_token
from peers.services.outbox.callbacks import ENDS
from peers.services.outbox.signed_requests import SendResult
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_reading import place_in_log
from peers.services.trust.log_sealing import time_text
from peers.services.trust.peers import valid_keys

MAX_TAKEN = 20

logger = logging.getLogger(__name__)


def receipt_headers(callback: OutboundCallback) -> dict[str, str]:
    """Return the header with the receipt for a callback that ends the work; {} for every other callback.

    The receipt is made at the first attempt and is the same at each attempt.
    """
    if callback.event_type not in ENDS:
        return {}
    row = _row_of(callback)
    if row is None:
        try:
            receipt = _receipt_of(callback).signed(hub_identity().signing_key())
        except ProtocolError:
            logger.exception("No receipt is made for %s", callback.received.dispatch_id)
            return {}
        row, _ = DispatchReceipt.objects.get_or_create(
            peer=callback.peer,
            is_sent=False,
            dispatch_id=callback.received.dispatch_id,
            defaults={"outcome": callback.event_type, "receipt": receipt.to_dict()},
        )
    return {RECEIPT_HEADER: row.signed_receipt.to_header()}


def rejection_headers(peer: Peer, dispatch_id: str) -> dict[str, str]:
    """Return the header with the receipt for the answer that rejects a peer's dispatch; a copy gets the same one."""
    rows = DispatchReceipt.objects.filter(peer=peer, is_sent=False, dispatch_id=dispatch_id)
    row = rows.first()
    if row is None:
        received = ReceivedDispatch.objects.select_related("peer").get(peer=peer, dispatch_id=dispatch_id)
        try:
            receipt = _receipt(received, "rejected").signed(hub_identity().signing_key())
        except ProtocolError:
            logger.exception("No receipt is made for %s", dispatch_id)
            return {}
        row, _ = rows.get_or_create(
            peer=peer,
            is_sent=False,
            dispatch_id=dispatch_id,
            defaults={"outcome": "rejected", "receipt": receipt.to_dict()},
        )
    return {RECEIPT_HEADER: row.signed_receipt.to_header()}


def take_countersignature(callback: OutboundCallback, sent: SendResult) -> None:
    """Store the countersignature in the answer to a callback; one that does not hold is logged and not stored."""
    header = sent.answer.headers.get(COUNTERSIGNATURE_HEADER.lower(), "") if sent.answer else ""
    row = _row_of(callback) if header and sent.is_delivered and callback.event_type in ENDS else None
    if row is None or row.countersignature:
        return
    try:
        _keep(row, callback.peer, Countersignature.from_header(header))
    except ProtocolError as exc:
        logger.warning("A countersignature of %s is refused: %s", callback.peer.server_url, exc)


def take_owed_countersignatures(peer: Peer, members: object) -> list[str]:
    """Store the countersignatures of rejected dispatches that came with an exchange; return the ids of the dispatches.

    A countersignature that does not hold is logged and not stored, and one that is stored already is confirmed again.
    """
    taken = []
    for member in members[:MAX_TAKEN] if isinstance(members, list) else []:
        dispatch_id = member.get("dispatch") if isinstance(member, dict) else None
        if not isinstance(dispatch_id, str):
            continue
        row = DispatchReceipt.objects.filter(peer=peer, is_sent=False, dispatch_id=dispatch_id).first()
        try:
            if row is not None and not row.countersignature:
                _keep(row, peer, Countersignature.from_dict(member.get("countersignature")))
        except ProtocolError as exc:
            logger.warning("A countersignature of %s is refused: %s", peer.server_url, exc)
            continue
        if row is not None:
            taken.append(dispatch_id)
    return taken


def _keep(row: DispatchReceipt, peer: Peer, answer: Countersignature) -> None:
    """Verify and store a countersignature of a peer for a receipt of this hub; raises ProtocolError."""
    receipt = row.signed_receipt
    answer.verify(valid_keys(peer, timezone.now()))
    if answer.receipt != receipt.digest or not is_same_did(answer.signer, receipt.sender):
        raise SignatureMismatch("the countersignature is of another receipt or hub")
    DispatchReceipt.objects.filter(pk=row.pk).update(
        countersignature=answer.to_dict(),
        differs=answer.differs[:200],
        standing=ReceiptStanding.DIFFERS if answer.differs else ReceiptStanding.BOTH,
    )


def usage_digest(attestation: object) -> str:
    """Return the digest of an attestation's usage: SHA-256 of its canonical bytes; "" without an attestation."""
    usage = attestation.get("usage") if isinstance(attestation, dict) else None
    return sha256(canonical_bytes(usage)).hexdigest() if isinstance(usage, dict) else ""


def _row_of(callback: OutboundCallback) -> DispatchReceipt | None:
    rows = DispatchReceipt.objects.filter(peer=callback.peer_id, is_sent=False)
    return rows.filter(dispatch_id=callback.received.dispatch_id).first()


def _receipt_of(callback: OutboundCallback) -> Receipt:
    body = json.loads(callback.body)
    return _receipt(
        callback.received,
        callback.event_type,
        result=sha256(SignedObject(body).signed_bytes).hexdigest(),
        usage=usage_digest(body.get("attestation")),
    )


def _receipt(received: ReceivedDispatch, outcome: str, *, result: str = "", usage: str = "") -> Receipt:
    peer_url, made_at = received.peer.server_url, received.received_at
    log, position = place_in_log(received.dispatch_id, peer_url, kind="receive", at=made_at)
    policy: JsonObject = received.policy
    return Receipt(
        by="receiver",
        dispatch=received.dispatch_id,
        sender=received.peer.did or did_of_url(peer_url),
        receiver=hub_identity().did,
        intent=received.body_digest,
        delegation=_root_digest(received),
        policy=sha256(canonical_bytes(policy)).hexdigest(),
        decision="accepted" if received.accepted else "rejected",
        outcome=outcome,
        result=result,
        usage=usage,
        log=log,
        position=position,
        at=time_text(timezone.now()),
    )


def _root_digest(received: ReceivedDispatch) -> str:
    """Return the digest of the first token of the delegation's chain; "" without a delegation."""
    if not received.delegation:
        return ""
    ancestors = split_token(received.delegation).payload.get("prf")
    root = ancestors[0] if isinstance(ancestors, list) and ancestors else received.delegation
    return sha256(str(root).encode()).hexdigest()
