"""Callbacks that this hub owes the peers whose work it took on."""

from __future__ import annotations

import json
from datetime import datetime

from django.utils import timezone

from core.jobs.queue import enqueue
from peers.models import JournalKind, OutboundCallback, PeerState, ReceivedDispatch
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationAttestation,
    FederationCallback,
    JsonMapping,
    sign_envelope,
)
from peers.services.trust.identity import hub_identity
from peers.services.trust.journal import note

STATE_PATCH = "state.patch"
EVENTS_LOG = "events.log"
NEW_COLUMNS = ("peer", "event_type", "body", "due_at", "tried_since", "created_at")


def needed_permissions(event_type: str, state_delta: JsonMapping) -> set[str]:
    """Return what the delegated scope must allow for a callback: patching the state, logging events, or both."""
    needed = set() if event_type == CallbackEventType.STATE_DELTA else {EVENTS_LOG}
    if state_delta or event_type == CallbackEventType.STATE_DELTA:
        needed.add(STATE_PATCH)
    return needed


def is_in_scope(scope: DelegationScope, event_type: str, state_delta: JsonMapping, *, now: float) -> bool:
    """Tell whether a callback stays within what was delegated; `now` in Unix seconds."""
    expires = scope.expiry_seconds()
    if expires is not None and expires < now:
        return False
    return all(scope.allows(permission) for permission in needed_permissions(event_type, state_delta))


def queue_callback(
    received: ReceivedDispatch,
    event_type: CallbackEventType,
    *,
    state_delta: JsonMapping | None = None,
    attestation: FederationAttestation | None = None,
    key: str,
) -> OutboundCallback | None:
    """Sign a callback and put it into the outbox, in the caller's unit of work.

    `key` names it within its dispatch: the same key makes no second callback, so that a handler that runs again says
    nothing twice. Returns None, and leaves a line in the log, where the peer wants no callbacks or delegated less.
    """
    now = timezone.now()
    if why := why_unreported(received, event_type, state_delta or {}, now=now):
        note(JournalKind.CALLBACK, why, peer_url=received.peer.server_url, dispatch_id=received.dispatch_id)
        return None
    new = new_callback(received, event_type, state_delta=state_delta, attestation=attestation, key=key, now=now)
    row, created = OutboundCallback.objects.get_or_create(
        received=received,
        idempotency_key=new.idempotency_key,
        defaults={name: getattr(new, name) for name in NEW_COLUMNS},
    )
    if created and row.due_at:
        enqueue("peers.deliver_callback", row.id)
    return row


def why_unreported(
    received: ReceivedDispatch, event_type: CallbackEventType, state_delta: JsonMapping, *, now: datetime
) -> str:
    """Return the journal's line where the peer wants no callbacks or delegated less than this one; else ""."""
    if not received.callback_url:
        return f"{event_type} is not reported: the peer named no callback URL"
    scope = DelegationScope.from_dict(received.scope)
    if not is_in_scope(scope, event_type, state_delta, now=now.timestamp()):
        return f"{event_type} is not reported: it is beyond the delegated scope"
    return ""


def new_callback(
    received: ReceivedDispatch,
    event_type: CallbackEventType,
    *,
    state_delta: JsonMapping | None = None,
    attestation: FederationAttestation | None = None,
    key: str,
    now: datetime,
) -> OutboundCallback:
    """Return a signed callback that is not written yet, for whoever writes many at once."""
    name = f"{key}:{received.dispatch_id}"
    callback = FederationCallback(
        dispatch_id=received.dispatch_id,
        event_type=event_type,
        state_delta=dict(state_delta or {}),
        attestation=attestation,
        trace_id=received.trace_id or None,
        idempotency_key=name,
        timestamp=now.isoformat(),
    )
    return OutboundCallback(
        received=received,
        idempotency_key=name,
        peer=received.peer,
        event_type=event_type.value,
        body=signed_text(callback),
        # While the peer is suspended it waits; the sweep lets it go when the peer is approved again.
        due_at=now if received.peer.state == PeerState.APPROVED else None,
        tried_since=now,
        created_at=now,
    )


def signed_text(callback: FederationCallback) -> str:
    """Return the JSON text of a callback with this hub's signature over it."""
    body = callback.to_dict()
    body["signature"] = sign_envelope(hub_identity(), body)
    return json.dumps(body, separators=(",", ":"))
