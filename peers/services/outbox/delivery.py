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

from core.jobs.queue import enqueue
from core.store.units import retried, unit_of_work
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
from peers.services.outbox import circuit
from peers.services.outbox.backoff import MAX_ATTEMPTS
from peers.services.outbox.delegations import delegation_of
from peers.services.outbox.dispatch import reason_to_wait, signed_envelope
from peers.services.outbox.leases import (
    Message,
    bury,
    held,
    horizon,
    lease_length,
    park,
    postpone,
    put_off,
    take_back_attempt,
)
from peers.services.outbox.signed_requests import Sent, post
from peers.services.trust.identity import is_enabled
from peers.services.trust.journal import note
from peers.services.trust.peers import find_peer

RECEIVE_PATH = "/api/v1/federation/receive"
CIRCUIT_OPEN = "the peer does not answer; waiting before the next try"
STALE = ", and refused as stale from now on"
NOT_ITS_ORIGIN = "the callback URL is on an origin that is not the peer's"
# Half of the shortest FEDHUB_ENVELOPE_MAX_AGE: what waited longer for its first try has its time from then on.
LONG_WAIT = timedelta(hours=6)


# What both have in common -------------------------------------------------------------------------------------------
def _may_go(message: Message, peer: Peer, token: str, *, now: datetime) -> bool:
    """Tell whether a message that was taken is sent now. Else it is put off until the circuit closes, or given up."""
    age = now - message.tried_since
    if message.attempts > 1 and age > horizon():
        _bury_late(message, token, f"; the last try: {message.last_error or 'it came to no end'}", now=now)
        return False
    until = circuit.wait_until(peer, now=now)
    if until is None:
        if message.attempts == 1 and age > LONG_WAIT:
            message.tried_since = now
            held(message, token).update(tried_since=now)
        return True
    # While a probe is under way its answer may let all go.
    if age > horizon() and until - now > timedelta(seconds=circuit.PROBE_SECONDS):
        _bury_late(message, token, "; the peer did not answer others either", now=now)
    else:
        postpone(message, token, CIRCUIT_OPEN, now=now, until=until)
    return False


def _bury_late(message: Message, token: str, why: str, *, now: datetime) -> None:
    hours = int(horizon() / timedelta(hours=1))
    is_stale = isinstance(message, Dispatch) and message.attempts > 1
    take_back_attempt(message)
    bury(message, token, f"not delivered within {hours} hours{STALE if is_stale else ''}{why}", now=now)


# Dispatches ---------------------------------------------------------------------------------------------------------
def deliver_dispatch(dispatch_id: str) -> None:
    """Send a due dispatch to its peer; one that is done, waiting or being sent by another worker is left alone."""
    now, token = timezone.now(), secrets.token_hex(16)
    if not Dispatch.take(dispatch_id, now=now, lease=lease_length(), token=token):
        return
    dispatch = Dispatch.objects.select_related("peer").get(pk=dispatch_id)
    peer = dispatch.peer or find_peer(dispatch.target_server)
    if waits := _dispatch_waits(peer):
        park(dispatch, token, waits)
    elif peer is not None and _may_go(dispatch, peer, token, now=now):
        _renew_signature(dispatch, token, now=now)
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
            bury(dispatch, token, sent.error, now=now, is_refused=sent.is_final)
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


def _renew_signature(dispatch: Dispatch, token: str, *, now: datetime) -> None:
    """Sign an envelope anew that is older than the tries which begin now; it stays the same request to its receiver.

    Between tries it is not: a receiver may forget a request that it would refuse as stale.
    """
    envelope = FederationEnvelope.from_dict(json.loads(dispatch.envelope))
    if dispatch.tried_since.timestamp() - parse_timestamp(envelope.created_at or "") > 1:
        envelope.created_at = now.isoformat()
        dispatch.envelope = signed_envelope(envelope)
        held(dispatch, token).update(envelope=dispatch.envelope)


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
    if waits := _callback_waits(peer):
        park(callback, token, waits)
    elif not any(is_same_origin(url, origin) for origin in (peer.server_url, *peer.callback_origins)):
        bury(callback, token, NOT_ITS_ORIGIN, now=now)
    elif _may_go(callback, peer, token, now=now):
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
