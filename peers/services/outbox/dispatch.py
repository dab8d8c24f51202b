"""Dispatch an intent to a peer: write the row and its signed envelope to the outbox, in one transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from core.actors import Actor
from core.errors import InvalidRequestError
from core.jobs.queue import enqueue
from core.net.client import is_permitted_url
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import Dispatch, Intent, JournalKind, Peer, PeerState, ReceivedDispatch
from peers.protocol import (
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationEnvelope,
    FederationPolicy,
    InvalidIdentifier,
    JsonObject,
    idempotency_digest,
    normalize_server_url,
)
from peers.services.catalog.hub_status import CALLBACK_PATH
from peers.services.outbox.callbacks import check_callback_url
from peers.services.trust.held_work import AWAITING_APPROVAL, reason_of_state
from peers.services.trust.identity import DISABLED, hub_url, is_enabled, signed_json
from peers.services.trust.journal import note
from peers.services.trust.peers import find_peer

TARGET_BLOCKED = "Invalid target server URL: blocked by SSRF protection"
MAX_TRACE_ID = 200
NO_WORK_FOR_PEER = "the relationship with the peer does not allow work for it"


@dataclass(frozen=True, slots=True)
class IntentText:
    """The texts about the intent that a caller of `create_dispatch` gives; None takes the text of the stored intent."""

    title: str | None = None
    description: str | None = None
    state: JsonObject | None = None
    constraints: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller wants to send: the intent, the target, the terms, and texts that replace those of the intent.

    An empty `dispatch_id` takes a new one. With a given one the same request can come twice.
    """

    intent_id: str
    target_server: str
    agent_id: str = ""
    scope: DelegationScope | None = None
    policy: FederationPolicy | None = None
    callback_url: str = ""
    trace_context: dict[str, str] | None = None
    overrides: IntentText = IntentText()
    dispatch_id: str = ""


@retried
def create_dispatch(
    *,
    intent_id: str,
    target_server: str,
    by: Actor,
    agent_id: str = "",
    scope: DelegationScope | None = None,
    policy: FederationPolicy | None = None,
    callback_url: str = "",
    trace_context: dict[str, str] | None = None,
    overrides: IntentText | None = None,
) -> Dispatch:
    """Write a dispatch and its signed envelope; a worker sends it after the commit, if the peer is approved.

    `overrides` replaces texts of the stored intent in the envelope. Raises as `draft_envelope` does.
    """
    wanted = Wanted(
        intent_id=intent_id,
        target_server=target_server,
        agent_id=agent_id,
        scope=scope,
        policy=policy,
        callback_url=callback_url,
        trace_context=trace_context,
        overrides=overrides or IntentText(),
    )
    with unit_of_work():
        return store_dispatch(wanted, by=by)


def store_dispatch(wanted: Wanted, *, by: Actor) -> Dispatch:
    """Write the dispatch and its envelope in the caller's unit of work; raises as `draft_envelope` does."""
    now = timezone.now()
    # The lock orders the dispatch with a change of the intent, which is refused from the first dispatch on.
    locked(Intent.objects.filter(pk=wanted.intent_id)).first()
    envelope = draft_envelope(wanted, now=now)
    envelope.created_at = now.isoformat()
    return _store(envelope, by=by, now=now)


def draft_envelope(wanted: Wanted, *, now: datetime) -> FederationEnvelope:
    """Return the envelope that a dispatch would send, without its time and signature; nothing is written.

    A received intent is passed on within the scope that was delegated with it, and the depth of that scope goes down by
    one. Raises InvalidRequestError where the protocol between hubs is disabled and for blocked URLs, DelegationError
    where the received scope does not allow the dispatch.
    """
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    if wanted.callback_url:
        check_callback_url(wanted.callback_url)
    target, scope, policy = _checked_target(wanted.target_server), wanted.scope, wanted.policy
    intent = Intent.objects.filter(pk=wanted.intent_id).first()
    received = ReceivedDispatch.objects.filter(intent=intent).first() if intent and intent.is_received else None
    if received is not None:
        scope, policy = pass_on(received, scope, policy, now=now)
    text = _described(wanted.intent_id, intent, wanted.overrides)
    dispatch_id = wanted.dispatch_id or str(uuid.uuid4())
    return FederationEnvelope(
        dispatch_id=dispatch_id,
        source_server=hub_url(),
        target_server=target,
        intent_id=wanted.intent_id,
        intent_title=text.title or "",
        intent_description=text.description or "",
        intent_state=text.state or {},
        intent_constraints=text.constraints or {},
        agent_id=wanted.agent_id or None,
        delegation_scope=scope,
        federation_policy=policy,
        trace_context=wanted.trace_context,
        callback_url=wanted.callback_url or hub_url() + CALLBACK_PATH,
        idempotency_key=dispatch_id,
    )


def pass_on(
    received: ReceivedDispatch, scope: DelegationScope | None, policy: FederationPolicy | None, *, now: datetime
) -> tuple[DelegationScope, FederationPolicy]:
    """Return the scope and policy for passing received work on, never wider than the scope and policy of `received`.

    Raises DelegationError where the scope has expired or has no depth left.
    """
    delegated = DelegationScope.from_dict(received.scope)
    expires = delegated.expiry_seconds()
    if expires is not None and expires < now.timestamp():
        raise DelegationError(DelegationFault.EXPIRED, "the scope that was delegated with the intent has expired")
    composed = FederationPolicy.from_dict(received.policy).compose_strictest(policy or FederationPolicy())
    return delegated.attenuate(scope or delegated), composed


def signed_envelope(envelope: FederationEnvelope) -> str:
    """Return the JSON text of an envelope with this hub's signature."""
    return signed_json(envelope.to_dict())


def reason_to_hold(peer: Peer | None) -> str:
    """Return the reason for which a dispatch to this target is held now; "" where it may be sent."""
    if peer is None or peer.state in (PeerState.PROPOSED, PeerState.REJECTED):
        return AWAITING_APPROVAL
    if peer.state != PeerState.APPROVED:
        return reason_of_state(peer.state)
    return "" if peer.may_get_work else NO_WORK_FOR_PEER


def _store(envelope: FederationEnvelope, *, by: Actor, now: datetime) -> Dispatch:
    peer = find_peer(envelope.target_server)
    reason = reason_to_hold(peer)
    dispatch = Dispatch.objects.create(
        id=envelope.dispatch_id,
        intent_id=envelope.intent_id,
        intent_title=envelope.intent_title,
        # A peer that was never approved may have another row by the time of its approval.
        peer=None if reason == AWAITING_APPROVAL else peer,
        target_server=envelope.target_server,
        agent_id=envelope.agent_id or "",
        reason=reason,
        envelope=signed_envelope(envelope),
        scope=(envelope.delegation_scope or DelegationScope()).to_dict(),
        state=envelope.intent_state,
        trace_id=(envelope.trace_context or {}).get("trace_id", "")[:MAX_TRACE_ID],
        created_by_id=by.id,
        created_by_name=by.name,
        created_at=now,
        due_at=None if reason else now,
        tried_since=now,
    )
    text = f"Dispatch of {envelope.intent_title!r}" + (f" is held: {reason}" if reason else "")
    digest = idempotency_digest(envelope.to_dict())
    note(JournalKind.DISPATCH, text, peer_url=dispatch.target_server, dispatch_id=dispatch.pk, by=by, digest=digest)
    if not reason:
        enqueue("peers.deliver_dispatch", dispatch.pk)
    return dispatch


def _described(intent_id: str, intent: Intent | None, given: IntentText) -> IntentText:
    """Return the texts that are `given`; for an absent text that of the stored intent, or a stub if none is stored."""
    stored = (
        IntentText(f"Intent {intent_id}", "", {}, {})
        if intent is None
        else IntentText(intent.title, intent.description, intent.state, intent.constraints)
    )
    return IntentText(
        title=stored.title if given.title is None else given.title,
        description=stored.description if given.description is None else given.description,
        state=stored.state if given.state is None else given.state,
        constraints=stored.constraints if given.constraints is None else given.constraints,
    )


def _checked_target(url: str) -> str:
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError(TARGET_BLOCKED)
    try:
        return normalize_server_url(url)
    except InvalidIdentifier as exc:
        raise InvalidRequestError(TARGET_BLOCKED) from exc
