"""The second half of a receive: prove again under a lock, decide, and store, many submissions in one transaction.

The view calls this half with the submission that the first half (`prove`) made. A group of submissions is read with a
few queries, each submission is then decided by itself and in order, and all rows are written together. A refused
submission gets its own error and stores nothing. A second copy in one group is a replay of the first, as if it had come
later. A group that the database refuses is taken apart, so that one submission never fails another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.utils import timezone

from core.counts import Count
from core.errors import ConflictError, HubError, NotFoundError
from core.store.compiled_queries import CompiledQuery, any_pair
from core.store.unit_of_work import unit_of_work
from peers.models import HandlerEvent, OutboundCallback, Peer, ReceivedDispatch, TakenBy
from peers.protocol import FederationEnvelope, FederationPolicy, ProtocolError, ReceiveResult
from peers.services.inbox.group_commit import GroupCommit, together_or_alone
from peers.services.inbox.receive.new_rows import ACCEPTED, SPENT, NewRows, new_intent, new_received, rows_of
from peers.services.inbox.receive.prove_sender import Submission, check_fresh_here
from peers.services.inbox.receive.scope_and_policy import (
    VisibleAgents,
    agreed_policy,
    check_callback_target,
    effective_scope,
    is_budget_spent,
)
from peers.services.inbox.receive.takers import NO_ROOM, Room, Taker, taker_of
from peers.services.outbox.nudges import nudge_new
from peers.services.trust import peer_cache
from peers.services.trust.identity import hub_url
from peers.services.trust.passing_lines import see_copy
from peers.services.trust.proofs import NotTrustedError
from peers.services.trust.recheck_under_lock import LockedPeer, check_proof, check_trust, lock_peers
from peers.services.trust.replay import ALREADY_PROCESSED, NonceReplayedError, new_nonce, seen_nonces
from peers.services.trust.restore_boundary import check_restore_boundary

RECEIVED = Count("fedhub_peer_dispatches_received_total", "Dispatches of peers that got a result.", ("result",))

KNOWN_COLUMNS = ("peer", "dispatch_id", "idempotency_key", "body_digest", "accepted", "local_intent_id")
_KNOWN_BY_ID = CompiledQuery(
    lambda pairs: (
        ReceivedDispatch.objects.filter(any_pair("peer_id", "dispatch_id", pairs)).order_by().only(*KNOWN_COLUMNS)
    )
)
_KNOWN_BY_KEY = CompiledQuery(
    # The index is of the rows with a key.
    lambda pairs: (
        ReceivedDispatch.objects.filter(any_pair("peer_id", "idempotency_key", pairs), idempotency_key__gt="")
        .order_by()
        .only(*KNOWN_COLUMNS)
    )
)


@dataclass(frozen=True, slots=True)
class ReceiveOutcome:
    """What `store_submissions` returns for a submission that is not refused.

    `result` becomes the body of the HTTP response. `events` and `callbacks` are the new rows to which workers are
    nudged; a replay has none.
    """

    result: ReceiveResult
    events: Sequence[HandlerEvent] = ()
    callbacks: Sequence[OutboundCallback] = ()


def receive(submission: Submission, *, now: datetime) -> ReceiveResult:
    """Store an intent of a proven peer and return the result, after the commit; a replay gets the first result again.

    Raises NotTrustedError, VerificationError, UnauthenticatedError, ConflictError for a known id with another body,
    InvalidRequestError for the callback URL, DelegationError, NotFoundError for an agent that the peer may not see,
    BeforeRestoreError for an unknown envelope from before a restore.
    """
    (result,), nudge = receive_all([submission], now=now)
    if nudge:
        nudge()
    if isinstance(result, Exception):
        raise result
    return result


def receive_all(
    submissions: Sequence[Submission], *, now: datetime
) -> tuple[list[ReceiveResult | Exception], Callable[[], None] | None]:
    """Do for each submission what `receive` does; return the result or error of each, in their order, and a function.

    The function nudges workers to the new rows, if there are any. Call it once the senders have their answers: it may
    wait for the broker.
    """
    refusals = [_early_refusal(each, now) for each in submissions]
    checked = [each for each, refusal in zip(submissions, refusals, strict=True) if refusal is None]
    outcomes, led = _groups.submit_all(checked)
    settled = iter([_settle(each, outcome) for each, outcome in zip(checked, outcomes, strict=True)])
    results = [refusal or next(settled) for refusal in refusals]
    has_work = any(outcome.events or outcome.callbacks for outcome in led)
    return results, partial(_nudge, led) if has_work else None


def _early_refusal(submission: Submission, now: datetime) -> Exception | None:
    try:
        check_trust(submission.proof.peer)
        check_fresh(submission, now)
    except (HubError, ProtocolError) as exc:
        return exc
    return None


def _settle(submission: Submission, outcome: ReceiveOutcome | Exception) -> ReceiveResult | Exception:
    """Count the outcome of a submission, and note a copy; return the result or error."""
    if isinstance(outcome, Exception):
        peer_cache.forget(submission.proof.peer.server_url)
        return outcome
    result = outcome.result
    is_known = result.message == ALREADY_PROCESSED
    RECEIVED.add("known" if is_known else "accepted" if result.accepted else "rejected")
    if is_known:
        see_copy(submission.proof.peer, result.dispatch_id, submission.digest)
    return result


def check_fresh(submission: Submission, now: datetime) -> None:
    """Raise VerificationError unless the message is for this hub and recent; an unsigned one may omit both fields."""
    message = submission.message
    if submission.proof.by_envelope or message.get("target_server") or message.get("created_at"):
        defaults = {} if submission.proof.by_envelope else {"target_server": hub_url(), "created_at": now.isoformat()}
        check_fresh_here(defaults | {key: value for key, value in message.items() if value}, now)


def _store_together(submissions: Sequence[Submission]) -> list[ReceiveOutcome | Exception]:
    with unit_of_work():
        group = _Group(submissions, timezone.now())
        outcomes = [group.decide(submission) for submission in submissions]
        group.rows.write()
    return outcomes


store_submissions = together_or_alone(_store_together)
"""Store submissions in one transaction; return, after its commit, the outcome or error of each, in their order.

The errors are those that `receive` raises, and the errors of the database.
"""


def _nudge(outcomes: Sequence[ReceiveOutcome]) -> None:
    """Nudge workers to the new rows of a group."""
    nudge_new(
        [event.pk for outcome in outcomes for event in outcome.events],
        [callback.pk for outcome in outcomes for callback in outcome.callbacks],
    )


_groups = GroupCommit(store_submissions)

expect_submission = _groups.expected
"""Let a group wait for the submission of this thread, whose proof begins now."""


class _Group:
    """Submissions that are decided in one transaction.

    `locked_peers`, `known` and `nonces` are the rows that the database has about the submissions; `rows` are the new
    rows, written after the last decision.
    """

    def __init__(self, submissions: Sequence[Submission], now: datetime) -> None:
        """Lock and read all rows that deciding on `submissions` needs, in a few queries, in the open unit of work."""
        proofs = [submission.proof for submission in submissions]
        self.now = now
        self.locked_peers = lock_peers(proofs, now)
        self.known: dict[tuple[str, str, str], ReceivedDispatch] = {}
        for row in _known_rows(submissions):
            self._add_known(row)
        signatures = [(proof.peer, found) for proof in proofs for found in proof.http_signatures]
        self.nonces = seen_nonces(signatures)
        self.agents = VisibleAgents()
        self.room = Room()
        self.rows = NewRows()

    def decide(self, submission: Submission) -> ReceiveOutcome | Exception:
        """Return the outcome of one submission, whose rows join the group's rows, or the error that refuses it."""
        try:
            outcome, rows = self._decide(submission)
        except (HubError, ProtocolError) as exc:
            return exc
        self.rows.add(rows)
        for received in rows.received:
            self._add_known(received)
        self.nonces |= {(nonce.peer_id, nonce.nonce) for nonce in rows.nonces}
        return outcome

    def _decide(self, submission: Submission) -> tuple[ReceiveOutcome, NewRows]:
        proof = submission.proof
        locked_peer = self.locked_peers.get(proof.peer.pk)
        if locked_peer is None:
            raise NotTrustedError(proof.peer.server_url)
        peer, signatures = locked_peer.peer, proof.http_signatures
        check_trust(peer)
        check_proof(proof, locked_peer)
        used = {(peer.pk, signature.nonce) for signature in signatures}
        if used & self.nonces or len(used) != len(signatures):
            raise NonceReplayedError
        if known := self._find_known(submission, peer):
            outcome, rows = ReceiveOutcome(_result_of(known, ALREADY_PROCESSED)), NewRows()
        else:
            check_restore_boundary(peer, submission.message.get("created_at"), self.now)
            outcome, rows = self._accept(submission, locked_peer)
        rows.nonces += [new_nonce(peer, signature) for signature in signatures]
        return outcome, rows

    def _find_known(self, submission: Submission, peer: Peer) -> ReceivedDispatch | None:
        """Return the row of an earlier copy of the submission; raises ConflictError for a copy with another body."""
        found = [row for name in _names(submission.envelope) if (row := self.known.get((peer.pk, *name)))]
        if any(row.body_digest != submission.digest for row in found):
            raise ConflictError("This dispatch id or idempotency key was used with another body")
        return found[0] if found else None

    def _add_known(self, row: ReceivedDispatch) -> None:
        self.known[row.peer_id, "id", row.dispatch_id] = row
        self.known[row.peer_id, "key", row.idempotency_key] = row

    def _accept(self, submission: Submission, locked_peer: LockedPeer) -> tuple[ReceiveOutcome, NewRows]:
        """Check the terms of a new request, and return its outcome and rows: accepted or rejected."""
        envelope, peer = submission.envelope, locked_peer.peer
        check_callback_target(envelope.callback_url, peer)
        scope = effective_scope(submission, locked_peer, self.now)
        policy = agreed_policy(envelope)
        agent = self.agents.find(envelope.agent_id, peer) if envelope.agent_id else None
        if envelope.agent_id and agent is None:
            raise NotFoundError("Agent not found")
        wanted = taker_of(is_discovered=agent is not None and agent.is_discovered)
        refusal = self._refusal(peer, policy, wanted)
        taker = None if refusal else wanted
        intent = new_intent(envelope, peer, self.now) if taker else None
        received = new_received(
            submission, peer, intent, scope, policy, self.now, taker=taker, message=refusal or ACCEPTED
        )
        rows = rows_of(received, submission, self.now, taker)
        return ReceiveOutcome(_result_of(received, received.message), rows.events, rows.callbacks), rows

    def _refusal(self, peer: Peer, policy: FederationPolicy, taker: Taker) -> str:
        """Return why no work is done for a request whose terms hold; "" if the work is accepted."""
        if is_budget_spent(policy):
            return SPENT
        return NO_ROOM if taker.taken_by == TakenBy.AGENT and not self.room.take(peer) else ""


def _known_rows(submissions: Sequence[Submission]) -> Iterator[ReceivedDispatch]:
    """Yield the stored rows with the peer of a submission and its dispatch id or idempotency key."""
    yield from _KNOWN_BY_ID.rows({(each.proof.peer.pk, each.envelope.dispatch_id) for each in submissions})
    if keys := {(each.proof.peer.pk, key) for each in submissions if (key := each.envelope.idempotency_key)}:
        yield from _KNOWN_BY_KEY.rows(keys)


def _names(envelope: FederationEnvelope) -> Iterator[tuple[str, str]]:
    yield "id", envelope.dispatch_id
    if envelope.idempotency_key:
        yield "key", envelope.idempotency_key


def _result_of(row: ReceivedDispatch, message: str) -> ReceiveResult:
    return ReceiveResult(
        dispatch_id=row.dispatch_id,
        accepted=row.accepted,
        local_intent_id=row.local_intent_id or None,
        message=message,
    )
