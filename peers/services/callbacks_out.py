"""Callbacks that this hub owes the peers whose work it took on."""

from __future__ import annotations

import json

from django.utils import timezone

from fedhub.queue import enqueue
from peers.models import JournalKind, OutboundCallback, PeerState, ReceivedDispatch
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationAttestation,
    FederationCallback,
    JsonMapping,
    sign_envelope,
)
from peers.services.identity import hub_identity
from peers.services.journal import note

STATE_PATCH = "state.patch"
EVENTS_LOG = "events.log"


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
    is_new: bool = False,
) -> OutboundCallback | None:
    """Sign a callback and put it into the outbox, in the caller's unit of work.

    `key` names it within its dispatch: the same key makes no second callback, so that a handler that runs again says
    nothing twice. `is_new` spares looking for one, where `received` was written in this very unit of work. Returns
    None, and leaves a line in the log, where the peer wants no callbacks or delegated less.
    """
    now = timezone.now()
    delta = state_delta or {}
    peer = received.peer
    scope = DelegationScope.from_dict(received.scope)
    if not received.callback_url or not is_in_scope(scope, event_type, delta, now=now.timestamp()):
        why = "it is beyond the delegated scope" if received.callback_url else "the peer named no callback URL"
        text = f"{event_type} is not reported: {why}"
        note(JournalKind.CALLBACK, text, peer_url=peer.server_url, dispatch_id=received.dispatch_id)
        return None
    callback = FederationCallback(
        dispatch_id=received.dispatch_id,
        event_type=event_type,
        state_delta=dict(delta),
        attestation=attestation,
        trace_id=received.trace_id or None,
        idempotency_key=f"{key}:{received.dispatch_id}",
        timestamp=now.isoformat(),
    )
    identity = {"received": received, "idempotency_key": callback.idempotency_key}
    values = {
        "peer": peer,
        "event_type": event_type.value,
        "body": signed_text(callback),
        # While the peer is suspended it waits; the sweep lets it go when the peer is approved again.
        "due_at": now if peer.state == PeerState.APPROVED else None,
        "tried_since": now,
        "created_at": now,
    }
    if is_new:
        row, created = OutboundCallback.objects.create(**identity, **values), True
    else:
        row, created = OutboundCallback.objects.get_or_create(**identity, defaults=values)
    if created and row.due_at:
        enqueue("peers.deliver_callback", row.id)
    return row


def signed_text(callback: FederationCallback) -> str:
    """Return the JSON text of a callback with this hub's signature over it."""
    body = callback.to_dict()
    body["signature"] = sign_envelope(hub_identity(), body)
    return json.dumps(body, separators=(",", ":"))
