"""The checks of a stored dispatch of a peer, with the facts that its row and the peer's history have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from core.strict_json import Json, JsonMapping
from peers.models import PeerDecision, PeerKey, ReceivedDispatch, TakenBy
from peers.protocol import DelegationScope, ProtocolError
from peers.protocol.envelope_signatures import SignedObject
from peers.protocol.timestamps import parse_timestamp
from peers.services.inbox.explain.causes import Step
from peers.services.inbox.explain.checks import WORK_STEPS, Check, trace
from peers.services.inbox.receive.new_rows import SPENT
from peers.services.inbox.receive.takers import NO_ROOM

REFUSED_BY: Mapping[str, Step] = {SPENT: Step.BUDGET, NO_ROOM: Step.ROOM}
UNSIGNED = (
    "The envelope has no signature of its own. The request proved its sender by an HTTP signature or a token, which "
    "the hub does not store."
)
EMPTIED = "The envelope was deleted, because the work ended long ago."


def checks_of(received: ReceivedDispatch) -> list[Check]:
    """Return the checks of a received dispatch, accepted, or refused for its budget or for want of room."""
    refused_by = None if received.accepted else REFUSED_BY.get(received.message)
    signature, key = _proof(received)
    return trace(
        WORK_STEPS,
        refused_by,
        {
            Step.FORM: "One envelope that the hub can read.",
            Step.SIGNATURE: signature,
            Step.KEY: key,
            Step.RATE: "Within the limit. The count of that time is not stored.",
            Step.PEER: state_at(received.peer_id, received.received_at),
            Step.TIME: _time(received),
            Step.COPY: f"The first message with the id {received.dispatch_id}.",
            Step.RESTORE: "Not held back.",
            Step.CALLBACK_URL: received.callback_url or "It names none, so the hub reports nothing.",
            Step.SCOPE: _scope(received),
            Step.POLICY: _policy(received.policy),
            Step.AGENT: _agent(received),
            Step.BUDGET: _budget(received.policy),
            Step.ROOM: _room(received),
        },
    )


def state_at(peer_id: str, moment: datetime) -> str:
    """Return the state of a peer at a moment, by the last decision before it."""
    decision = PeerDecision.objects.filter(peer_id=peer_id, decided_at__lte=moment).first()
    if decision is None:
        return "No decision of staff about the peer is stored from before that."
    since = f"{decision.decided_at:%Y-%m-%d %H:%M:%S %Z}"
    return f"{decision.to_state} since {since}, by {decision.actor_name or 'the hub'}."


def _proof(received: ReceivedDispatch) -> tuple[str, str]:
    """Return what is known of the signature and of its key; the signature is verified again with the stored keys."""
    if received.emptied_at:
        return EMPTIED, EMPTIED
    signed = SignedObject(received.envelope)
    if not signed.is_signed:
        return UNSIGNED, "Not stored."
    key = _signer(signed, list(PeerKey.objects.filter(peer_id=received.peer_id)))
    if key is None:
        return "None of the keys that the hub still has made the signature.", "The key is not stored any more."
    ends = f", trusted until {key.valid_until:%Y-%m-%d %H:%M:%S %Z}" if key.valid_until else ""
    return "The envelope's own Ed25519 signature holds; it was verified again for this page.", (
        f"{key.fingerprint}; now {key.get_state_display().lower()}{ends}."
    )


def _signer(signed: SignedObject, keys: list[PeerKey]) -> PeerKey | None:
    for key in keys:
        try:
            if signed.is_signed_by_any([key.verification_key]):
                return key
        except ProtocolError:
            continue
    return None


def _time(received: ReceivedDispatch) -> str:
    made = received.envelope.get("created_at")
    if received.emptied_at:
        return EMPTIED
    if not isinstance(made, str) or not made:
        return "It names no time, which only an unsigned message may."
    try:
        age = received.received_at.timestamp() - parse_timestamp(made)
    except ProtocolError:
        return "Its time cannot be read any more."
    target = received.envelope.get("target_server") or "no target"
    return f"For {target}; made {age:,.1f} s before it came. The limit of that time is not stored."


def _scope(received: ReceivedDispatch) -> str:
    try:
        scope = DelegationScope.from_dict(received.scope)
        end = scope.expiry_seconds()
    except ProtocolError:
        return "The stored scope cannot be read."
    granted = ", ".join(scope.permissions) or "nothing"
    until = f" until {datetime.fromtimestamp(end, tz=UTC):%Y-%m-%d %H:%M:%S %Z}" if end is not None else ""
    token = "within its delegation token" if received.delegation else "by the envelope alone; it came without a token"
    times = {0: "not at all", 1: "once"}.get(scope.max_delegation_depth, f"{scope.max_delegation_depth} times")
    return f"{granted}{until}, {token}. It may be passed on {times}."


def _policy(policy: JsonMapping) -> str:
    named = [f"{section}: {_members(found)}" for section, found in policy.items() if isinstance(found, dict) and found]
    return "; ".join(named) + "." if named else "Neither hub sets a limit."


def _budget(policy: JsonMapping) -> str:
    budget = policy.get("budget")
    if not isinstance(budget, dict) or not budget:
        return "No limit on the budget."
    return f"{_members(budget)}. A limit of 0 or less leaves no room for any work."


def _members(found: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _agent(received: ReceivedDispatch) -> str:
    if not received.agent_id:
        return "It names no agent, so no visibility was asked for."
    return f"The peer could see {received.agent_id}. The visibility of that time is not stored."


def _room(received: ReceivedDispatch) -> str:
    if received.message == NO_ROOM:
        return f"{NO_ROOM.removeprefix('Rejected: ')}."
    if received.taken_by == TakenBy.AGENT:
        return "There was room. The number of the pieces that waited then is not stored."
    return "Not counted: it takes no place of an agent." if received.taken_by else "Not stored."
