"""Working off the outbox: what is due is sent, signed, until it was taken, refused or given up.

A worker takes a row for the time of its lease, reads the peer's state again, sends outside any transaction, and writes
down what became of it under the lease's token. A worker that dies in between leaves a row that is due again: every
message is delivered at least once, and its receiver knows it again by its id.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from fedhub.queue import enqueue
from fedhub.storage import retried, unit_of_work
from peers.models import Dispatch, DispatchState, JournalKind, OutboundCallback, Peer, PeerState
from peers.models.dispatches import FINAL_STATES
from peers.protocol import (
    UCAN_HEADER,
    FederationEnvelope,
    ProtocolError,
    ReceiveResult,
    is_same_origin,
    parse_json_object,
)
from peers.protocol.timestamps import parse_timestamp
from peers.services import circuit
from peers.services.backoff import MAX_ATTEMPTS
from peers.services.delegations import delegation_of
from peers.services.dispatch import reason_to_wait, signed_envelope
from peers.services.identity import is_enabled
from peers.services.journal import note
from peers.services.outbound import Sent, post
from peers.services.outbox import bury, held, lease_length, put_off
from peers.services.peers import find_peer

RECEIVE_PATH = "/api/v1/federation/receive"
CIRCUIT_OPEN = "the peer does not answer; waiting before the next try"
UNSETTLED = "its tries are used up, the last ones while the peer did not answer or the worker was stopped"
NOT_ITS_ORIGIN = "the callback URL is on an origin that is not the peer's"
# Half of the shortest FEDHUB_ENVELOPE_MAX_AGE: an envelope that waited longer for an approval is signed anew, which
# changes nothing that makes it the same request.
SIGNED_ANEW_AFTER = timedelta(hours=6)


# Dispatches ---------------------------------------------------------------------------------------------------------
def deliver_dispatch(dispatch_id: str) -> None:
    """Send a due dispatch to its peer; one that is done, waiting or being sent by another worker is left alone."""
    now, token = timezone.now(), secrets.token_hex(16)
    if not Dispatch.take(dispatch_id, now=now, lease=lease_length(), token=token):
        return
    dispatch = Dispatch.objects.select_related("peer").get(pk=dispatch_id)
    peer = dispatch.peer or find_peer(dispatch.target_server)
    if dispatch.attempts > MAX_ATTEMPTS:
        bury(dispatch, token, UNSETTLED, now=now)
    elif waits := _dispatch_waits(peer):
        held(dispatch, token).update(due_at=None, lease_token="", reason=waits)
    elif peer is not None:
        if until := circuit.wait_until(peer, now=now):
            put_off(dispatch, token, CIRCUIT_OPEN, now=now, not_before=until)
            return
        _renew_signature(dispatch, now=now)
        delegation = delegation_of(dispatch, peer)
        headers = {UCAN_HEADER: delegation} if delegation else {}
        sent = post(peer, peer.server_url + RECEIVE_PATH, dispatch.envelope, now=now, headers=headers)
        settle_dispatch(dispatch, peer, token, sent)


@retried
def settle_dispatch(dispatch: Dispatch, peer: Peer, token: str, sent: Sent) -> None:
    """Write down what became of an attempt, as far as the worker with this lease token still has the row."""
    now = timezone.now()
    with unit_of_work():
        _count(peer, sent, now=now)
        held(dispatch, token).update(last_status_code=sent.status_code)
        if sent.is_delivered:
            _record_answer(dispatch, peer, token, sent, now=now)
        elif sent.is_final or dispatch.attempts >= MAX_ATTEMPTS:
            bury(dispatch, token, sent.error, now=now)
        else:
            waits = _dispatch_waits(Peer.objects.get(pk=peer.pk))
            put_off(dispatch, token, sent.error, now=now, not_before=now + sent.retry_after, waits=waits)


def _record_answer(dispatch: Dispatch, peer: Peer, token: str, sent: Sent, *, now: datetime) -> None:
    """Write down that the peer took the envelope, and what it said; its callbacks may have come before."""
    status, text, remote_id = _read_answer(sent)
    row = held(dispatch, token)
    row.update(delivered_at=now, due_at=None, dead_at=None, last_error="", reason="", remote_intent_id=remote_id)
    finished_at = now if status in FINAL_STATES else None
    pending = row.filter(status__in=[DispatchState.PENDING, DispatchState.DELIVERED])
    if pending.update(status=status, reason=text if status == DispatchState.REJECTED else "", finished_at=finished_at):
        note(JournalKind.DISPATCH, f"Answered {status}: {text}", peer_url=peer.server_url, dispatch_id=dispatch.pk)
    row.update(lease_token="")


def _read_answer(sent: Sent) -> tuple[DispatchState, str, str]:
    """Return what a 2xx says: the dispatch's status, the peer's words, and its id of the intent."""
    try:
        result = ReceiveResult.from_dict(parse_json_object(sent.answer.body if sent.answer else b""))
    except ProtocolError:
        return DispatchState.DELIVERED, "no answer that can be read", ""
    status = DispatchState.ACCEPTED if result.accepted else DispatchState.REJECTED
    return status, result.message[:500], (result.local_intent_id or "")[:64]


def _renew_signature(dispatch: Dispatch, *, now: datetime) -> None:
    envelope = FederationEnvelope.from_dict(json.loads(dispatch.envelope))
    if now.timestamp() - parse_timestamp(envelope.created_at or "") > SIGNED_ANEW_AFTER.total_seconds():
        envelope.created_at = now.isoformat()
        dispatch.envelope = signed_envelope(envelope)
        dispatch.save(update_fields=["envelope"])


def _dispatch_waits(peer: Peer | None) -> str:
    return reason_to_wait(peer) if is_enabled() else "federation is not enabled"


def _count(peer: Peer, sent: Sent, *, now: datetime) -> None:
    """Tell the circuit breaker; a URL that is blocked here says nothing about the peer."""
    if sent.is_outage:
        circuit.record_failure(peer, now=now)
    elif sent.answer is not None:
        circuit.record_answer(peer, now=now)


# Callbacks ----------------------------------------------------------------------------------------------------------
def deliver_callback(callback_id: str) -> None:
    """Send a due callback; it waits for the earlier ones of its dispatch, which the peer must see first."""
    now, token = timezone.now(), secrets.token_hex(16)
    if _waits_for_earlier(callback_id):
        return
    if not OutboundCallback.take(callback_id, now=now, lease=lease_length(), token=token):
        return
    callback = OutboundCallback.objects.select_related("peer", "received").get(pk=callback_id)
    peer, url = callback.peer, callback.received.callback_url
    if callback.attempts > MAX_ATTEMPTS:
        bury(callback, token, UNSETTLED, now=now)
    elif waits := _callback_waits(peer):
        held(callback, token).update(due_at=None, lease_token="", last_error=waits)
    elif not any(is_same_origin(url, origin) for origin in (peer.server_url, *peer.callback_origins)):
        bury(callback, token, NOT_ITS_ORIGIN, now=now)
    elif until := circuit.wait_until(peer, now=now):
        put_off(callback, token, CIRCUIT_OPEN, now=now, not_before=until)
    else:
        _settle_callback(callback, peer, token, post(peer, url, callback.body, now=now))


@retried
def _settle_callback(callback: OutboundCallback, peer: Peer, token: str, sent: Sent) -> None:
    now = timezone.now()
    with unit_of_work():
        if is_same_origin(callback.received.callback_url, peer.server_url):
            _count(peer, sent, now=now)
        row = held(callback, token)
        row.update(last_status_code=sent.status_code)
        if sent.is_delivered:
            row.update(delivered_at=now, due_at=None, lease_token="", last_error="")
        elif sent.is_final or callback.attempts >= MAX_ATTEMPTS:
            bury(callback, token, sent.error, now=now)
        else:
            waits = _callback_waits(Peer.objects.get(pk=peer.pk))
            put_off(callback, token, sent.error, now=now, not_before=now + sent.retry_after, waits=waits)
            return
        _nudge_next(callback, now=now)


def _nudge_next(callback: OutboundCallback, *, now: datetime) -> None:
    """Let the next callback of the dispatch go, which had to wait for this one; a pause of its own stays."""
    owed = OutboundCallback.objects.filter(received=callback.received_id, delivered_at=None, dead_at=None)
    following = owed.filter(created_at__gt=callback.created_at, due_at__isnull=False).order_by("created_at").first()
    if following is not None and not following.attempts:
        owed.filter(pk=following.pk, attempts=0, lease_token="").update(due_at=now)
        enqueue("peers.deliver_callback", following.pk)


def _waits_for_earlier(callback_id: str) -> bool:
    """Tell whether an earlier callback of the same dispatch is still owed; then this one is due after it."""
    callback = OutboundCallback.objects.filter(pk=callback_id, due_at__isnull=False).first()
    if callback is None:
        return False
    owed = OutboundCallback.objects.filter(received=callback.received_id, delivered_at=None, dead_at=None)
    earlier = owed.filter(created_at__lt=callback.created_at).order_by("created_at").first()
    if earlier is None:
        return False
    if earlier.due_at is not None and earlier.due_at > timezone.now():
        # Not now, and not first in every sweep until then.
        OutboundCallback.objects.filter(pk=callback_id, due_at=callback.due_at, lease_token="").update(
            due_at=earlier.due_at
        )
    return True


def _callback_waits(peer: Peer) -> str:
    if not is_enabled():
        return "federation is not enabled"
    return "" if peer.state == PeerState.APPROVED else f"peer {peer.state}"
