"""The second half of a callback: prove again under a lock, decide, and write, many callbacks in one transaction.

A group of callbacks is read with a few queries, each callback is then decided by itself and in order, and all rows are
written together. Two callbacks of one dispatch in one group are applied one after the other; a second copy in the group
is a replay of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from django.conf import settings
from django.utils import timezone

from core.errors import ConflictError, HubError, NotFoundError
from core.store.compiled_queries import CompiledQuery, any_of, any_pair
from core.store.many_rows import insert_each, update_each
from core.store.unit_of_work import locked, unit_of_work
from peers.models import (
    Dispatch,
    DispatchState,
    HandlerEvent,
    HandlerEventKind,
    InboundCallback,
    JournalEntry,
    JournalKind,
    SeenNonce,
)
from peers.models.dispatches import FINAL_STATES
from peers.protocol import (
    CallbackEventType,
    DelegationError,
    DelegationFault,
    DelegationScope,
    FederationCallback,
    JsonObject,
    MessageTooLarge,
    ProtocolError,
    canonical_bytes,
)
from peers.protocol.merge_patch import merge_patch
from peers.services.inbox.callbacks.prove_sender import ENDS, UNKNOWN_DISPATCH, ProvenCallback, ReadCallback
from peers.services.inbox.group_commit import MAX_GROUP, GroupCommit, together_or_alone
from peers.services.inbox.handler_events import new_events
from peers.services.inbox.work_progress import REFUSED
from peers.services.outbox.callbacks import STATE_PATCH, is_in_scope
from peers.services.outbox.nudges import nudge_new
from peers.services.trust.journal import new_line
from peers.services.trust.passing_lines import see_copy
from peers.services.trust.proofs import NotTrustedError, why_untrusted
from peers.services.trust.recheck_under_lock import LockedPeer, check_proof, lock_peers
from peers.services.trust.replay import ALREADY_PROCESSED, NonceReplayedError, new_nonce, seen_nonces

MAX_STATE_BYTES = 1024 * 1024
MAX_REASON = 2000
PROCESSED = "Callback processed"
NOTED = "The dispatch has ended; the callback was only noted"

# What a callback changes of its dispatch.
CHANGED_COLUMNS = (
    "state", "attestation", "is_attested", "status", "delivered_at", "due_at", "dead_at", "reason", "last_error",
    "finished_at",
)  # fmt: skip
# In the order of their keys, so that two groups never wait for each other.
_LOCKED_DISPATCHES = CompiledQuery(
    lambda ids: locked(Dispatch.objects.filter(any_of("pk", ids)).order_by("pk").only("scope", *CHANGED_COLUMNS))
)
_KNOWN = CompiledQuery(
    lambda pairs: (
        InboundCallback.objects.filter(any_pair("dispatch_id", "dedup_key", pairs))
        .order_by()
        .values_list("dispatch_id", "dedup_key", "body_digest")
    )
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a callback that is not refused has done: the answer's text, and the events of handlers that it made."""

    message: str
    events: Sequence[HandlerEvent] = ()


def accept_callback(proven: ProvenCallback) -> JsonObject:
    """Apply a proven callback to its dispatch and return the body of the HTTP response, after the commit.

    A second copy gets a response and changes nothing; a callback for a dispatch in a final state is only stored. Raises
    NotTrustedError where the peer is no longer approved, UnknownKey or UnauthenticatedError where the peer's key or
    token is not valid any more, NonceReplayedError, DelegationError for a callback beyond the delegated scope,
    MessageTooLarge for a state that would be too large, NotFoundError for a dispatch that was deleted meanwhile,
    ConflictError for another body under a known idempotency key.
    """
    (result,), nudge = accept_callbacks([proven])
    if nudge:
        nudge()
    if isinstance(result, Exception):
        raise result
    return result


def accept_callbacks(
    proven: Sequence[ProvenCallback],
) -> tuple[list[JsonObject | Exception], Callable[[], None] | None]:
    """Do for each callback what `accept_callback` does; return its body or error, in their order, and a function.

    The function nudges workers to the new events, if there are any. Call it once the senders have their answers: it may
    wait for the broker.
    """
    outcomes, led = _groups.submit_all(proven)
    events = [event.pk for applied in led for event in applied.events]
    results = [_settle(each, outcome) for each, outcome in zip(proven, outcomes, strict=True)]
    return results, partial(nudge_new, events, []) if events else None


def _settle(proven: ProvenCallback, outcome: Applied | Exception) -> JsonObject | Exception:
    """Note a copy; return the body of the response, or the error."""
    if isinstance(outcome, Exception):
        return outcome
    if outcome.message == ALREADY_PROCESSED:
        see_copy(proven.proof.peer, proven.dispatch_id, proven.read.digest)
    return {"dispatch_id": proven.dispatch_id, "accepted": True, "message": outcome.message}


def _store_together(proven: Sequence[ProvenCallback]) -> list[Applied | Exception]:
    with unit_of_work():
        group = _Group(proven, timezone.now())
        outcomes = [group.decide(each) for each in proven]
        group.write()
    return outcomes


_groups = GroupCommit(together_or_alone(_store_together))

expect_callback = _groups.expected
"""Let a group wait for the callback of this thread, whose proof begins now."""


@dataclass(slots=True)
class _Group:
    """Callbacks that are decided in one transaction.

    `locked_peers`, `dispatches`, `known` (the digest of a callback's body by dispatch and key) and `nonces` are the
    rows that the database has about them. `changed` are the dispatches to update, and the other fields are new rows.
    """

    proven: Sequence[ProvenCallback]
    now: datetime
    locked_peers: dict[str, LockedPeer] = field(init=False)
    dispatches: dict[str, Dispatch] = field(init=False)
    known: dict[tuple[str, str], str] = field(init=False)
    nonces: set[tuple[str, str]] = field(init=False)
    changed: dict[str, Dispatch] = field(default_factory=dict)
    callbacks: list[InboundCallback] = field(default_factory=list)
    events: list[HandlerEvent] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    new_nonces: list[SeenNonce] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Lock and read all rows that deciding needs, in a few queries, in the open unit of work."""
        proofs = [each.proof for each in self.proven]
        self.locked_peers = lock_peers(proofs, self.now)
        self.nonces = seen_nonces([(proof.peer, found) for proof in proofs for found in proof.http_signatures])
        self.dispatches = {row.pk: row for row in _LOCKED_DISPATCHES.rows({each.dispatch_id for each in self.proven})}
        known = _KNOWN.rows({(each.dispatch_id, each.read.dedup_key) for each in self.proven})
        self.known = {(pk, key): digest for pk, key, digest in known}

    def decide(self, proven: ProvenCallback) -> Applied | Exception:
        """Return what one callback does, whose rows join the group's rows, or the error that refuses it."""
        try:
            return self._decide(proven)
        except (HubError, ProtocolError) as exc:
            return exc

    def write(self) -> None:
        """Write all rows, with one statement for each table, in the open unit of work."""
        update_each(list(self.changed.values()), CHANGED_COLUMNS, batch_size=MAX_GROUP)
        insert_each(self.callbacks)
        insert_each(self.events)
        insert_each(self.journal)
        insert_each(self.new_nonces)

    def _decide(self, proven: ProvenCallback) -> Applied:
        """Check everything, and only then change anything."""
        read, proof, dispatch = proven.read, proven.proof, self.dispatches.get(proven.dispatch_id)
        locked_peer = self.locked_peers.get(proof.peer.pk)
        if locked_peer is None:
            raise NotTrustedError(proof.peer.server_url)
        if detail := why_untrusted(locked_peer.peer, settings.FEDHUB_TRUST_POLICY, is_work=False):
            raise NotTrustedError(proof.peer.server_url, detail)
        if dispatch is None:
            raise NotFoundError(UNKNOWN_DISPATCH)
        check_proof(proof, locked_peer)
        used = {(proof.peer.pk, signature.nonce) for signature in proof.http_signatures}
        if used & self.nonces or len(used) != len(proof.http_signatures):
            raise NonceReplayedError
        fields = _within_scope(read.fields, dispatch, self.now)
        applied = self._apply(proven, dispatch, fields, locked_peer)
        self.nonces |= used
        self.new_nonces += [new_nonce(locked_peer.peer, signature) for signature in proof.http_signatures]
        return applied

    def _apply(
        self, proven: ProvenCallback, dispatch: Dispatch, fields: FederationCallback, locked_peer: LockedPeer
    ) -> Applied:
        read = proven.read
        if (known := self.known.get((dispatch.pk, read.dedup_key))) is not None:
            if known != read.digest:
                raise ConflictError("The idempotency key was used for another callback")
            return Applied(ALREADY_PROCESSED)
        has_ended = dispatch.status in FINAL_STATES
        if not has_ended:
            _change(dispatch, fields, read.body, is_attested=proven.is_attested, now=self.now)
            self.changed[dispatch.pk] = dispatch
        row = _new_callback(dispatch, read, self.now, is_applied=not has_ended)
        self.known[dispatch.pk, read.dedup_key] = read.digest
        self.callbacks.append(row)
        text = f"{row.event_type}" + (" after the end, only noted" if has_ended else "")
        url = locked_peer.peer.server_url
        self.journal.append(
            new_line(JournalKind.CALLBACK, text, peer_url=url, dispatch_id=dispatch.pk, digest=read.digest)
        )
        if has_ended:
            return Applied(NOTED)
        events = _new_events(row)
        self.events += events
        return Applied(PROCESSED, events)


def _new_callback(dispatch: Dispatch, read: ReadCallback, now: datetime, *, is_applied: bool) -> InboundCallback:
    return InboundCallback(
        dispatch=dispatch,
        dedup_key=read.dedup_key,
        body_digest=read.digest,
        event_type=read.fields.event_type.value,
        body=read.body,
        is_applied=is_applied,
        received_at=now,
    )


def _within_scope(callback: FederationCallback, dispatch: Dispatch, now: datetime) -> FederationCallback:
    """Return the callback if it is within the delegated scope; raise DelegationError otherwise.

    The end of the work is taken also after the scope ran out, without its state_delta: the peer may have written it in
    time, and else the dispatch would never end.
    """
    scope = DelegationScope.from_dict(dispatch.scope)
    if is_in_scope(scope, callback.event_type, callback.state_delta, now=now.timestamp()):
        return callback
    if callback.event_type in ENDS and scope.allows(STATE_PATCH):
        return replace(callback, state_delta={})
    raise DelegationError(DelegationFault.WIDENED, "the callback is beyond the delegated scope")


def _change(
    dispatch: Dispatch, callback: FederationCallback, body: JsonObject, *, is_attested: bool, now: datetime
) -> None:
    state = merge_patch(dispatch.state, callback.state_delta)
    if len(canonical_bytes(state)) > MAX_STATE_BYTES:
        raise MessageTooLarge(f"the dispatch's state would be larger than {MAX_STATE_BYTES} bytes")
    dispatch.state = state
    if callback.attestation is not None:
        dispatch.attestation, dispatch.is_attested = body["attestation"], is_attested
    # A peer that reports on the work has received it, also where the answer to the delivery was lost.
    dispatch.status = ENDS.get(callback.event_type, DispatchState.ACCEPTED)
    dispatch.delivered_at = dispatch.delivered_at or now
    dispatch.due_at = dispatch.dead_at = None
    dispatch.last_error = ""
    # A refusal of the peer's staff is a column too, so that lists can find it.
    reason = dispatch.state.get("reason") if callback.event_type == CallbackEventType.FAILED else None
    dispatch.reason = reason[:MAX_REASON] if isinstance(reason, str) and reason.startswith(REFUSED) else ""
    if dispatch.status in FINAL_STATES:
        dispatch.finished_at = now


def _new_events(row: InboundCallback) -> list[HandlerEvent]:
    kinds = [HandlerEventKind.FEDERATION_CALLBACK]
    if row.event_type == CallbackEventType.BUDGET_WARNING:
        kinds.append(HandlerEventKind.BUDGET_WARNING)
    return [
        event
        for kind in kinds
        for event in new_events(kind, source_id=row.pk, dispatch_id=row.dispatch_id, payload=row.body)
    ]
