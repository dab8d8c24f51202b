"""The sender's side of receipts: compare the receiver's receipt with this hub's book, and countersign it.

The receipt of ended work comes with a callback, whose answer carries the countersignature. That of a dispatch which the
peer rejects at once comes with the answer to the dispatch; so its countersignature goes to the peer with the next
exchange of checkpoints, again until the peer confirms that it has it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from core.jobs.queue import enqueue
from peers.models import Dispatch, DispatchReceipt, IssuedDelegation, Peer, ReceiptStanding
from peers.protocol import JsonObject, ProtocolError, did_of_url, idempotency_digest
from peers.protocol.receipts import RECEIPT_HEADER, Countersignature, Receipt
from peers.services.outbox.signed_requests import SendResult
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_reading import place_in_log
from peers.services.trust.log_sealing import time_text
from peers.services.trust.peers import valid_keys

REJECTED = "rejected"
MOST_SENT = 5
MAX_SENT_CHARS = 6000  # One exchange stays below the 8 KB that the peer reads.

logger = logging.getLogger(__name__)


def read_receipt(peer: Peer, header: str, now: datetime) -> Receipt | None:
    """Return the peer's receipt if its signature holds, else None: a wrong receipt never makes a message fail."""
    if not header:
        return None
    try:
        receipt = Receipt.from_header(header)
        receipt.verify(valid_keys(peer, now))
    except ProtocolError as exc:
        logger.warning("A receipt of %s is refused: %s", peer.server_url, exc)
        return None
    return receipt


def own_book(
    dispatch: Dispatch,
    peer: Peer,
    *,
    now: datetime,
    outcome: str,
    decision: str = "accepted",
    result: str = "",
    usage: str = "",
) -> Receipt:
    """Return the receipt as this hub's book has it, not signed yet."""
    log, position = place_in_log(dispatch.pk, dispatch.target_server, kind="dispatch", at=dispatch.created_at)
    issued = IssuedDelegation.objects.filter(dispatch=dispatch).order_by("-created_at").first()
    return Receipt(
        by="sender",
        dispatch=dispatch.pk,
        sender=hub_identity().did,
        receiver=peer.did or did_of_url(peer.server_url),
        intent=idempotency_digest(json.loads(dispatch.envelope)),
        delegation=issued.token_digest if issued else "",
        policy="",
        decision=decision,
        outcome=outcome,
        result=result,
        usage=usage,
        log=log,
        position=position,
        at=time_text(now),
    )


def values_of(theirs: Receipt | None, own: Receipt) -> JsonObject:
    """Return the columns of the receipt's row: the peer's receipt countersigned, or without one this hub's own."""
    answer = _answer(theirs, own) if theirs else None
    receipt = theirs or own.signed(hub_identity().signing_key())
    standing = ReceiptStanding.ONE
    if answer:
        standing = ReceiptStanding.DIFFERS if answer.differs else ReceiptStanding.BOTH
    return {
        "outcome": own.outcome,
        "receipt": receipt.to_dict(),
        "countersignature": answer.to_dict() if answer else None,
        "differs": answer.differs if answer else "",
        "standing": standing,
    }


def _answer(theirs: Receipt, own: Receipt) -> Countersignature:
    return Countersignature(
        receipt=theirs.digest,
        signer=own.sender,
        differs=" ".join(theirs.differing(own)),
        log=own.log,
        position=own.position,
        at=own.at,
    ).signed(hub_identity().signing_key())


# Rejected at once ---------------------------------------------------------------------------------------------------
def countersign_rejection(dispatch: Dispatch, peer: Peer, sent: SendResult, *, now: datetime) -> None:
    """Store the receipt in the answer that rejects a dispatch, countersigned, in the caller's unit of work."""
    theirs = read_receipt(peer, sent.answer.headers.get(RECEIPT_HEADER.lower(), "") if sent.answer else "", now)
    values = values_of(theirs, own_book(dispatch, peer, now=now, outcome=REJECTED, decision=REJECTED))
    _, is_new = DispatchReceipt.objects.get_or_create(
        peer=peer,
        is_sent=True,
        dispatch_id=dispatch.pk,
        defaults={**values, "is_owed": theirs is not None, "made_at": now},
    )
    # One exchange takes several, and asks for another one while more are owed.
    if theirs and is_new and _owed(peer).count() <= MOST_SENT:
        enqueue("peers.exchange_checkpoints", peer.pk)


def owed_countersignatures(peer: Peer) -> list[JsonObject]:
    """Return the newest countersignatures that the peer has not confirmed, as members of an exchange."""
    found: list[JsonObject] = []
    left = MAX_SENT_CHARS
    for row in _owed(peer).order_by("-made_at")[:MOST_SENT]:
        found.append({"dispatch": row.dispatch_id, "countersignature": row.countersignature})
        left -= len(json.dumps(found[-1]))
        if left < 0:
            return found[:-1]
    return found


def note_confirmed(peer: Peer, dispatch_ids: Iterable[str]) -> None:
    """Record which countersignatures the peer has; start another exchange where more are owed."""
    if _owed(peer).filter(dispatch_id__in=list(dispatch_ids)).update(is_owed=False) and _owed(peer).exists():
        enqueue("peers.exchange_checkpoints", peer.pk)


def _owed(peer: Peer) -> QuerySet[DispatchReceipt]:
    return DispatchReceipt.objects.filter(peer=peer, is_owed=True)
