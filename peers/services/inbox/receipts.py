"""The sender's side of receipts: compare the receiver's receipt with this hub's book, and countersign it."""

from __future__ import annotations

import json
import logging
from datetime import datetime

from django.db import IntegrityError

from peers.models import (
    Dispatch,
    DispatchReceipt,
    DispatchState,
    InboundCallback,
    IssuedDelegation,
    Peer,
    ReceiptStanding,
)
from peers.protocol import ProtocolError, did_of_url, idempotency_digest
from peers.protocol.receipts import Countersignature, Receipt
from peers.services.outbox.receipts import usage_digest
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_reading import place_in_log
from peers.services.trust.log_sealing import time_text
from peers.services.trust.peers import valid_keys

logger = logging.getLogger(__name__)
_ENDED = (DispatchState.COMPLETED, DispatchState.FAILED)


def countersign(peer: Peer, dispatch_id: str, header: str, *, now: datetime) -> str:
    """Return the countersignature for the receipt of an ended dispatch, as a header value; "" if there is none to send.

    `header` is the value of the callback's header, "" for a peer that makes no receipts: then this hub alone signs one.
    The first receipt that holds is kept, and a copy of its callback gets the same answer.
    """
    dispatch = Dispatch.objects.filter(pk=dispatch_id, status__in=_ENDED).first()
    last = InboundCallback.objects.filter(dispatch=dispatch_id, event_type__in=_ENDED, is_applied=True).first()
    if dispatch is None or last is None:
        return ""
    rows = DispatchReceipt.objects.filter(peer=peer, is_sent=True, dispatch_id=dispatch_id)
    theirs = _read(peer, header, now)
    known = rows.first()
    if known is not None and (theirs is None or known.countersignature):
        answer = known.signed_answer
        return answer.to_header() if theirs and answer and answer.receipt == theirs.digest else ""
    own = _own_book(dispatch, peer, last, now=now)
    if theirs is None:
        receipt, answer = own.signed(hub_identity().signing_key()), None
    else:
        receipt, answer = theirs, _answer(theirs, own)
    values = {
        "outcome": last.event_type,
        "receipt": receipt.to_dict(),
        "countersignature": answer.to_dict() if answer else None,
        "differs": answer.differs if answer else "",
        "standing": _standing(answer),
    }
    if known is not None:
        rows.filter(countersignature__isnull=True).update(**values)
    else:
        try:
            DispatchReceipt(peer=peer, is_sent=True, dispatch_id=dispatch_id, made_at=now, **values).save(
                force_insert=True
            )
        except IntegrityError:
            return ""
    return answer.to_header() if answer else ""


def _read(peer: Peer, header: str, now: datetime) -> Receipt | None:
    """Return the peer's receipt if its signature holds, else None: a wrong receipt never makes the callback fail."""
    if not header:
        return None
    try:
        receipt = Receipt.from_header(header)
        receipt.verify(valid_keys(peer, now))
    except ProtocolError as exc:
        logger.warning("A receipt of %s is refused: %s", peer.server_url, exc)
        return None
    return receipt


def _own_book(dispatch: Dispatch, peer: Peer, last: InboundCallback, *, now: datetime) -> Receipt:
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
        decision="accepted",
        outcome=last.event_type,
        result=last.body_digest,
        usage=usage_digest(last.body.get("attestation")),
        log=log,
        position=position,
        at=time_text(now),
    )


def _answer(theirs: Receipt, own: Receipt) -> Countersignature:
    return Countersignature(
        receipt=theirs.digest,
        signer=own.sender,
        differs=" ".join(theirs.differing(own)),
        log=own.log,
        position=own.position,
        at=own.at,
    ).signed(hub_identity().signing_key())


def _standing(answer: Countersignature | None) -> ReceiptStanding:
    if answer is None:
        return ReceiptStanding.ONE
    return ReceiptStanding.DIFFERS if answer.differs else ReceiptStanding.BOTH
