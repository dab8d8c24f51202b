"""Callbacks that this hub owes the peers whose work it has accepted: signed and written to the outbox."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from core.errors import InvalidRequestError
from core.jobs.queue import enqueue
from core.net.client import is_permitted_url
from peers.models import JournalKind, OutboundCallback, PeerState, ReceivedDispatch
from peers.protocol import (
    CallbackEventType,
    DelegationScope,
    FederationAttestation,
    FederationCallback,
    JsonMapping,
)
from peers.services.trust.identity import signed_json
from peers.services.trust.journal import note

CALLBACK_BLOCKED = "Invalid callback URL: blocked by SSRF protection"
STATE_PATCH = "state.patch"
EVENTS_LOG = "events.log"
ENDS = (CallbackEventType.COMPLETED, CallbackEventType.FAILED)
NEW_COLUMNS = ("sequence", "peer", "event_type", "body", "due_at", "tried_since", "created_at")


def check_callback_url(url: str) -> None:
    """Raise InvalidRequestError for a callback URL that the guarded HTTP client of this hub refuses to request."""
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError(CALLBACK_BLOCKED)


def needed_permissions(event_type: str, state_delta: JsonMapping) -> set[str]:
    """Return the permissions that the delegated scope must have for a callback: state.patch, events.log, or both.

    The end of the work is always reported, so it needs no permission but that for its state_delta.
    """
    needed = set() if event_type in (CallbackEventType.STATE_DELTA, *ENDS) else {EVENTS_LOG}
    if state_delta or event_type == CallbackEventType.STATE_DELTA:
        needed.add(STATE_PATCH)
    return needed


def is_in_scope(scope: DelegationScope, event_type: str, state_delta: JsonMapping, *, now: float) -> bool:
    """Tell whether a callback stays within the delegated scope; `now` in Unix seconds."""
    needed = needed_permissions(event_type, state_delta)
    if not needed:
        return True
    expires = scope.expiry_seconds()
    if expires is not None and expires < now:
        return False
    return all(scope.allows(permission) for permission in needed)


def queue_callback(
    received: ReceivedDispatch,
    event_type: CallbackEventType,
    *,
    state_delta: JsonMapping | None = None,
    attestation: FederationAttestation | None = None,
    key: str,
) -> OutboundCallback | None:
    """Sign a callback and write it to the outbox, in the caller's unit of work, which has locked `received`.

    `key` names the callback within its dispatch. A second call with the same key makes no second callback, so a handler
    that runs again tells the peer nothing twice. Returns None, and writes a journal line, if the peer named no callback
    URL, or if the delegated scope does not allow the callback. COMPLETED and FAILED are always sent, without their
    state_delta where the scope does not allow it.
    """
    now = timezone.now()
    scope = DelegationScope.from_dict(received.scope)
    if event_type in ENDS and not is_in_scope(scope, event_type, state_delta or {}, now=now.timestamp()):
        state_delta = None
    if why := why_unreported(received, event_type, state_delta or {}, now=now):
        note(JournalKind.CALLBACK, why, peer_url=received.peer.server_url, dispatch_id=received.dispatch_id)
        return None
    new = new_callback(received, event_type, state_delta=state_delta, attestation=attestation, key=key, now=now)
    # The lock of the received dispatch makes the number unique; the caller's clock may stand still or go back.
    last = OutboundCallback.objects.filter(received=received).aggregate(last=Max("sequence"))["last"]
    new.sequence = (last or 0) + 1
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
    """Return why no callback may be sent, as the text of a journal line; "" if the callback may be sent.

    The peer may have named no callback URL, or the delegated scope may not allow the callback.
    """
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
    """Return a signed callback that is not written yet.

    Its `sequence` is 1; a caller that adds a later callback to the received dispatch sets the number.
    """
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
        body=signed_json(callback.to_dict()),
        # While the peer is suspended the callback is held; the sweep releases it when the peer is approved again.
        due_at=now if received.peer.state == PeerState.APPROVED else None,
        tried_since=now,
        created_at=now,
    )
