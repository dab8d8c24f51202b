"""The sender's answer to the receipt that comes with the callback which ends the work."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError

from peers.models import Dispatch, DispatchReceipt, DispatchState, InboundCallback, Peer
from peers.services.outbox.receipts import usage_digest
from peers.services.outbox.sender_receipts import own_book, read_receipt, values_of

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
    theirs = read_receipt(peer, header, now)
    known = rows.first()
    if known is not None and (theirs is None or known.countersignature):
        answer = known.signed_answer
        return answer.to_header() if theirs and answer and answer.receipt == theirs.digest else ""
    usage = usage_digest(last.body.get("attestation"))
    own = own_book(dispatch, peer, now=now, outcome=last.event_type, result=last.body_digest, usage=usage)
    values = values_of(theirs, own)
    made = DispatchReceipt(peer=peer, is_sent=True, dispatch_id=dispatch_id, made_at=now, **values)
    if known is not None:
        rows.filter(countersignature__isnull=True).update(**values)
    else:
        try:
            made.save(force_insert=True)
        except IntegrityError:
            return ""
    answer = made.signed_answer
    return answer.to_header() if answer else ""
