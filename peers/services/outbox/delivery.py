"""Delivery: a worker takes a due dispatch or callback, sends it signed, and records the result.

The worker takes a row for the time of its lease, reads the peer's state again, sends outside of any transaction, and
records the result under its lease token. Where a worker dies in between, its row becomes due again: each message is
delivered at least once, and the receiver recognizes a second copy by its id.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from core.jobs.queue import enqueue
from core.store.unit_of_work import retried, unit_of_work
from peers.models import Dispatch, DispatchState, JournalKind, OutboundCallback, Peer, PeerState
from peers.models.dispatches import FINAL_STATES
from peers.protocol import (
    UCAN_HEADER,
    FederationEnvelope,
    ProtocolError,
    idempotency_digest,
    is_same_origin,
    parse_json_object,
)
from peers.protocol.discovery import DEFAULT_ENDPOINTS
from peers.protocol.envelope_signatures import SignedObject
from peers.protocol.timestamps import parse_timestamp
from peers.services.outbox import circuit
from peers.services.outbox.attempts import with_attempt
from peers.services.outbox.backoff import MAX_ATTEMPTS, scattered
from peers.services.outbox.dead_letters import give_up
from peers.services.outbox.delegations import delegation_of
from peers.services.outbox.dispatch import reason_to_hold, signed_envelope
from peers.services.outbox.failed_deliveries import count_failure
from peers.services.outbox.leases import (
    Message,
    failure_text,
    hold,
    lease_length,
    leased_row,
    postpone,
    put_off,
    retry_horizon,
    uncount_attempt,
)
from peers.services.outbox.pauses import pause_end, pause_reason, record_pause
from peers.services.outbox.receipts import receipt_headers, take_countersignature
from peers.services.outbox.sender_receipts import countersign_rejection
from peers.services.outbox.signed_requests import SendResult, post
from peers.services.trust.held_work import NOT_ENABLED, reason_of_state
from peers.services.trust.identity import is_enabled
from peers.services.trust.journal import note
from peers.services.trust.peers import find_peer

RECEIVE_PATH = DEFAULT_ENDPOINTS["receive"]
CIRCUIT_OPEN = "the peer does not answer; waiting before the next attempt"
STALE = ", and the peer would refuse it as stale now"
NOT_ITS_ORIGIN = "the callback URL is on an origin that is not the peer's"
# Half of the shortest FEDHUB_ENVELOPE_MAX_AGE: a message whose first attempt comes later gets its whole time from then.
LONG_WAIT = timedelta(hours=6)


# Dispatches and callbacks -------------------------------------------------------------------------------------------
def _may_send(message: Message, peer: Peer, token: str, *, now: datetime) -> bool:
    """Tell whether a leased message may be sent now; if not, postpone the message or give it up.

    The message waits while the peer's pause or open circuit lasts, and is given up after `retry_horizon`. `token` is
    the lease token of the worker.
    """
    age = now - message.tried_since
    if message.attempts > 1 and age > retry_horizon():
        _give_up_late(message, token, f"; the last attempt: {message.last_error or 'it did not end'}", now=now)
        return False
    why, until = f"{pause_reason(peer)}; waiting for its end", pause_end(peer, now=now)
    others = pause_reason(peer)
    if until is None:
        why, until = CIRCUIT_OPEN, circuit.wait_until(peer, now=now)
        others = "the peer did not answer other messages either"
    if until is None:
        if message.attempts == 1 and age > LONG_WAIT:
            message.tried_since = now
            leased_row(message, token).update(tried_since=now)
        return True
    # While a probe is under way its answer may close the circuit, so the message is kept.
    if age > retry_horizon() and until - now > timedelta(seconds=circuit.PROBE_SECONDS):
        _give_up_late(message, token, f"; {others}", now=now)
    else:
        postpone(message, token, why, now=now, until=until)
    return False


def _give_up_late(message: Message, token: str, why: str, *, now: datetime) -> None:
    hours = int(retry_horizon() / timedelta(hours=1))
    is_stale = isinstance(message, Dispatch) and message.attempts > 1
    uncount_attempt(message)
    give_up(message, token, f"not delivered within {hours} hours{STALE if is_stale else ''}{why}", now=now)
    if isinstance(message, OutboundCallback):
        _nudge_next(message, now=now)


def _count(peer: Peer, sent: SendResult, *, now: datetime) -> None:
    """Tell the circuit breaker the result, unless this hub blocked the URL: that says nothing about the peer."""
    if sent.is_outage:
        circuit.record_failure(peer, now=now)
    elif sent.answer is not None:
        circuit.record_answer(peer, now=now)


def _start_pause(peer: Peer, sent: SendResult, *, now: datetime) -> datetime:
    """Store the pause that the response asks for; return the earliest time at which the message may be sent again."""
    if not sent.retry_after:
        return now
    end = now + sent.retry_after
    record_pause(peer, until=end)
    return scattered(end, now=now)


# Dispatches ---------------------------------------------------------------------------------------------------------
def deliver_dispatch(dispatch_id: str) -> None:
    """Send a due dispatch to its peer. A dispatch that is done, held or leased by another worker stays as it is."""
    now, token = timezone.now(), secrets.token_hex(16)
    if not Dispatch.take(dispatch_id, now=now, lease=lease_length(), token=token):
        return
    dispatch = Dispatch.objects.select_related("peer").get(pk=dispatch_id)
    peer = dispatch.peer or find_peer(dispatch.target_server)
    if reason := _dispatch_hold_reason(peer):
        hold(dispatch, token, reason)
    elif peer is not None and _may_send(dispatch, peer, token, now=now):
        _renew_signature(dispatch, token, now=now)
        delegation = delegation_of(dispatch, peer)
        headers = {UCAN_HEADER: delegation} if delegation else {}
        sent = post(peer, peer.server_url + RECEIVE_PATH, dispatch.envelope, now=now, headers=headers)
        settle_dispatch(dispatch, peer, token, sent)


@retried
def settle_dispatch(dispatch: Dispatch, peer: Peer, token: str, sent: SendResult) -> None:
    """Record the result of an attempt to send a dispatch; change nothing if the lease of `token` was lost."""
    now = timezone.now()
    with unit_of_work():
        not_before = _start_pause(peer, sent, now=now)
        _count(peer, sent, now=now)
        count_failure(peer, sent)
        answer = _read_answer(sent)[:2] if sent.is_delivered else None
        log = with_attempt(dispatch, sent, now=now, answer=answer)
        leased_row(dispatch, token).update(last_status_code=sent.status_code, attempt_log=log)
        if sent.is_delivered:
            _record_answer(dispatch, peer, token, sent, now=now)
        elif sent.is_final or dispatch.attempts >= MAX_ATTEMPTS:
            give_up(dispatch, token, sent.error, now=now, is_refused=sent.is_final)
        else:
            reason = _dispatch_hold_reason(Peer.objects.get(pk=peer.pk))
            put_off(dispatch, token, sent.error, now=now, not_before=not_before, hold_reason=reason)
            text, digest = failure_text(dispatch, sent.error), idempotency_digest(json.loads(dispatch.envelope))
            note(JournalKind.DISPATCH, text, peer_url=peer.server_url, dispatch_id=dispatch.pk, digest=digest)


def _record_answer(dispatch: Dispatch, peer: Peer, token: str, sent: SendResult, *, now: datetime) -> None:
    """Record that the peer took the envelope, and what it answered; keep a status that a callback has set already."""
    status, text, remote_id = _read_answer(sent)
    row = leased_row(dispatch, token)
    row.update(delivered_at=now, due_at=None, dead_at=None, last_error="", reason="", remote_intent_id=remote_id)
    finished_at = now if status in FINAL_STATES else None
    pending = row.filter(status__in=[DispatchState.PENDING, DispatchState.DELIVERED])
    if pending.update(status=status, reason=text if status == DispatchState.REJECTED else "", finished_at=finished_at):
        digest = idempotency_digest(json.loads(dispatch.envelope))
        line = f"Answered {status}: {text}"
        note(JournalKind.DISPATCH, line, peer_url=peer.server_url, dispatch_id=dispatch.pk, digest=digest)
        if status == DispatchState.REJECTED:
            countersign_rejection(dispatch, peer, sent, now=now)
    row.update(lease_token="")


def _read_answer(sent: SendResult) -> tuple[DispatchState, str, str]:
    """Return the content of a 2xx response: the dispatch's status, the peer's message, and the peer's id of the intent.

    Only `"accepted": false` is a rejection, and only `"accepted": true` an acceptance. `ReceiveResult.from_dict` is not
    used, because it reads an absent `accepted` as false.
    """
    try:
        body = parse_json_object(sent.answer.body if sent.answer else b"")
    except ProtocolError:
        return DispatchState.DELIVERED, "an answer that cannot be read", ""
    accepted, message, remote_id = body.get("accepted"), body.get("message"), body.get("local_intent_id")
    status = DispatchState.DELIVERED
    if isinstance(accepted, bool):
        status = DispatchState.ACCEPTED if accepted else DispatchState.REJECTED
    text = message[:500] if isinstance(message, str) else ""
    return status, text, remote_id[:64] if isinstance(remote_id, str) else ""


def _renew_signature(dispatch: Dispatch, token: str, *, now: datetime) -> None:
    """Give the envelope a new time and signature if it was made before `tried_since`, such as before a release.

    The receiver still recognizes the envelope as the same request. Otherwise the envelope stays the same at each
    attempt, because a receiver may already have forgotten a request that it would refuse as stale.
    """
    envelope = FederationEnvelope.from_dict(json.loads(dispatch.envelope))
    if dispatch.tried_since.timestamp() - parse_timestamp(envelope.created_at or "") > 1:
        envelope.created_at = now.isoformat()
        dispatch.envelope = signed_envelope(envelope)
        leased_row(dispatch, token).update(envelope=dispatch.envelope)


def _dispatch_hold_reason(peer: Peer | None) -> str:
    return reason_to_hold(peer) if is_enabled() else NOT_ENABLED


# Callbacks ----------------------------------------------------------------------------------------------------------
def deliver_callback(callback_id: str) -> None:
    """Send a due callback, but only after the earlier callbacks of its dispatch: the peer must get them in order."""
    now, token = timezone.now(), secrets.token_hex(16)
    if _waits_for_earlier(callback_id):
        return
    if not OutboundCallback.take(callback_id, now=now, lease=lease_length(), token=token):
        return
    callback = OutboundCallback.objects.select_related("peer", "received").get(pk=callback_id)
    peer, url = callback.peer, callback.received.callback_url
    if reason := _callback_hold_reason(peer):
        hold(callback, token, reason)
    elif not peer.may_get_callbacks_at(url):
        give_up(callback, token, NOT_ITS_ORIGIN, now=now)
        _nudge_next(callback, now=now)
    elif _may_send(callback, peer, token, now=now):
        sent = post(peer, url, callback.body, now=now, headers=receipt_headers(callback))
        take_countersignature(callback, sent)
        _settle_callback(callback, peer, token, sent)


@retried
def _settle_callback(callback: OutboundCallback, peer: Peer, token: str, sent: SendResult) -> None:
    now = timezone.now()
    with unit_of_work():
        not_before = _start_pause(peer, sent, now=now)
        if is_same_origin(callback.received.callback_url, peer.server_url):
            _count(peer, sent, now=now)
        count_failure(peer, sent)
        row = leased_row(callback, token)
        row.update(last_status_code=sent.status_code)
        if sent.is_delivered:
            if row.update(delivered_at=now, due_at=None, lease_token="", last_error=""):
                _note_callback(callback, f"Reported {callback.event_type}")
        elif sent.is_final or callback.attempts >= MAX_ATTEMPTS:
            give_up(callback, token, sent.error, now=now)
        else:
            reason = _callback_hold_reason(Peer.objects.get(pk=peer.pk))
            put_off(callback, token, sent.error, now=now, not_before=not_before, hold_reason=reason)
            _note_callback(callback, f"{callback.event_type}: {failure_text(callback, sent.error)}")
            return
        _nudge_next(callback, now=now)


def _note_callback(callback: OutboundCallback, text: str) -> None:
    """Write the journal line of an attempt to send a callback; its digest is the one that the peer computes."""
    note(
        JournalKind.CALLBACK,
        text,
        peer_url=callback.peer.server_url,
        dispatch_id=callback.received.dispatch_id,
        digest=hashlib.sha256(SignedObject(json.loads(callback.body)).signed_bytes).hexdigest(),
    )


def _nudge_next(callback: OutboundCallback, *, now: datetime) -> None:
    """Nudge a worker to the next callback of the dispatch, which waited for `callback`, unless it pauses.

    A callback without an attempt becomes due now; one that pauses after an attempt is nudged by the sweep at its time.
    """
    owed = OutboundCallback.objects.filter(received=callback.received_id, delivered_at=None, dead_at=None)
    following = owed.filter(sequence__gt=callback.sequence, due_at__isnull=False).order_by("sequence").first()
    if following is None:
        return
    if not following.attempts:
        owed.filter(pk=following.pk, attempts=0, lease_token="").update(due_at=now)
    elif following.due_at is None or following.due_at > now:
        return
    enqueue("peers.deliver_callback", following.pk)


def _waits_for_earlier(callback_id: str) -> bool:
    """Tell whether an earlier callback of the same dispatch is still owed; if so, make this callback due no earlier."""
    callback = OutboundCallback.objects.filter(pk=callback_id, due_at__isnull=False).first()
    if callback is None:
        return False
    owed = OutboundCallback.objects.filter(received=callback.received_id, delivered_at=None, dead_at=None)
    earlier = owed.filter(sequence__lt=callback.sequence).order_by("sequence").first()
    if earlier is None:
        return False
    if earlier.due_at is None or earlier.due_at > timezone.now():
        # Without this the callback would come first in every sweep until then. A held callback is released with others.
        OutboundCallback.objects.filter(pk=callback_id, due_at=callback.due_at, lease_token="").update(
            due_at=earlier.due_at
        )
    return True


def _callback_hold_reason(peer: Peer) -> str:
    if not is_enabled():
        return NOT_ENABLED
    return "" if peer.state == PeerState.APPROVED else reason_of_state(peer.state)
