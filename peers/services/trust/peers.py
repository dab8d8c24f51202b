"""Peers: find them, add them, decide about them, change their settings.

One table says which state leads to which. Each change of state is a compare-and-set. The same transaction writes the
decision's row and the journal's line, and stops or starts the work that depends on the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.conf import settings
from django.utils import timezone

from core.activity.recording import CREATE, MASK, UPDATE, Change, difference
from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.jobs.queue import enqueue
from core.net.client import is_permitted_url
from core.store.unit_of_work import LostRaceError, locked, retried, unit_of_work
from federations.services.runs.cancel_many import cancel_runs_of_peer
from peers.models import JournalKind, KeyOrigin, KeyState, Peer, PeerDecision, PeerKey, PeerState, Relationship
from peers.protocol import (
    InvalidIdentifier,
    VerificationKey,
    normalize_server_url,
)
from peers.protocol.ed25519_keys import MAX_KEYS_TRIED
from peers.services.trust.effects import StopEffects, count_stopped
from peers.services.trust.held_work import hold_work, reason_of_state, release_held, release_on_approval
from peers.services.trust.journal import note, note_change
from peers.services.trust.keys import pin_key, propose_key, read_key
from peers.services.trust.peer_addresses import ascii_spelling_hint, checked_place
from peers.services.trust.peer_tokens import revoke_tokens
from peers.services.trust.secrets import decrypt, encrypt
from peers.services.trust.standing import trusted_states

TRANSITIONS: Mapping[PeerState, frozenset[PeerState]] = {
    PeerState.PROPOSED: frozenset({PeerState.APPROVED, PeerState.REJECTED}),
    PeerState.APPROVED: frozenset({PeerState.SUSPENDED, PeerState.RETIRED}),
    PeerState.SUSPENDED: frozenset({PeerState.APPROVED, PeerState.RETIRED}),
    PeerState.REJECTED: frozenset({PeerState.PROPOSED}),
    PeerState.RETIRED: frozenset({PeerState.PROPOSED}),
}
"""The states that each state leads to. Staff alone change a state; an unknown sender can only make a proposed row."""

STOPPED = "Stopped with it:"
"""How the journal's line begins that tells what a suspension or retirement stopped."""

MAX_REASON = 2000
MAX_ORIGINS = 20
LONGEST_KEY = 1000


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The settings of a peer that staff may change at any time by `change_settings`; none decides about trust.

    `relationship` says which way work may go. With `requires_signature` a token without a signature is refused.
    `callback_origins` are further origins to which this hub may send callbacks. `review_by` is the day on which staff
    want to look at the peer again, or None.
    """

    display_name: str
    relationship: str
    requires_signature: bool
    callback_origins: tuple[str, ...]
    notes: str
    review_by: date | None


def find_peer(server_url: str) -> Peer | None:
    """Return the peer of a base URL in any spelling; None for an unknown or malformed URL."""
    try:
        return Peer.objects.filter(server_url=normalize_server_url(server_url)).first()
    except InvalidIdentifier:
        return None


@retried
def add_peer(
    server_url: str,
    *,
    by: Actor,
    did: str = "",
    public_key: str = "",
    relationship: str = Relationship.PEER,
    notes: str = "",
) -> Peer:
    """Store a peer as proposed and return it; a retired peer becomes proposed again and keeps its history.

    An empty `server_url` is derived from the DID. A `public_key` (base64) is stored as entered by staff and is not yet
    pinned. Raises InvalidRequestError for an invalid URL, DID, key or relationship, ConflictError for a known peer.
    """
    url, did = checked_place(server_url, did)
    key = read_key(public_key) if public_key else None
    if relationship not in Relationship.values:
        raise InvalidRequestError(f"relationship: must be one of {', '.join(Relationship.values)}")
    with unit_of_work(with_accounts=True):
        peer, is_new = Peer.objects.get_or_create(
            server_url=url, defaults={"did": did, "relationship": relationship, "notes": notes}
        )
        if is_new:
            _record(peer, "", PeerState.PROPOSED, by=by, reason="Added")
        elif peer.state == PeerState.RETIRED:
            repropose_peer(peer, reason="Added again", by=by)
        else:
            raise ConflictError(f"{url} is known already, as {peer.state}")
        if key:
            propose_key(peer, key, origin=KeyOrigin.ENTERED, by=by)
    return peer


@retried
def approve_peer(
    peer: Peer, *, key_fingerprint: str, by: Actor, reason: str = "", review_by: date | None = None
) -> None:
    """Approve a proposed peer and pin the key whose fingerprint staff have compared with the peer's people.

    Pass an empty fingerprint only for a peer that has no key: such a peer can prove itself only with a token.
    `review_by` is the day on which staff want to look at the decision again. Raises ConflictError if the peer's state
    or keys do not allow the approval.
    """
    now = timezone.now()
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        _move(peer, PeerState.APPROVED, source=PeerState.PROPOSED)
        key = _compared_key(peer, key_fingerprint)
        if key:
            pin_key(key, now=now)
        # A key that policy `open` trusted provisionally is not trusted beside the key that staff have compared.
        peer.keys.filter(state=KeyState.PROVISIONAL).update(state=KeyState.PROPOSED)
        Peer.objects.filter(pk=peer.pk).update(review_by=review_by)
        peer.review_by = review_by
        fingerprint = key.fingerprint if key else ""
        _record(peer, PeerState.PROPOSED, PeerState.APPROVED, by=by, reason=reason, fingerprint=fingerprint)
        release_on_approval(peer, now=now)
        enqueue("peers.fetch_agents", peer.pk)


@retried
def reject_peer(peer: Peer, *, reason: str, by: Actor) -> None:
    """Reject a proposed peer; raises InvalidRequestError without a reason, ConflictError in another state."""
    if not reason.strip():
        raise InvalidRequestError("reason: say why the peer is rejected")
    _decide(peer, PeerState.REJECTED, source=PeerState.PROPOSED, reason=reason, by=by)


@retried
def suspend_peer(peer: Peer, *, reason: str, by: Actor) -> StopEffects:
    """Stop all work from and to an approved peer at once, and return what ended.

    Each transaction reads the peer's state again. The same transaction revokes the peer's delegations and tokens and
    holds its queued work. Raises ConflictError for a peer in another state.
    """
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        _decide(peer, PeerState.SUSPENDED, source=PeerState.APPROVED, reason=reason, by=by)
        return _stop(peer, because=reason_of_state(PeerState.SUSPENDED), by=by)


@retried
def resume_peer(peer: Peer, *, by: Actor, reason: str = "") -> tuple[int, int]:
    """Approve a suspended peer again with its present keys; held work becomes due, tokens stay revoked.

    Return the numbers of the dispatches and of the callbacks that are due now. Raises ConflictError for a peer that is
    not suspended.
    """
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        _decide(peer, PeerState.APPROVED, source=PeerState.SUSPENDED, reason=reason, by=by)
        released = release_held(peer, now=timezone.now())
        enqueue("peers.fetch_agents", peer.pk)
        return released


@retried
def retire_peer(peer: Peer, *, by: Actor, reason: str = "") -> StopEffects:
    """Retire an approved or suspended peer, keep its history, and return what ended.

    Raises ConflictError for a peer in another state.
    """
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        source = _stored_state(peer, PeerState.SUSPENDED, else_state=PeerState.APPROVED)
        _decide(peer, PeerState.RETIRED, source=source, reason=reason, by=by)
        return _stop(peer, because=reason_of_state(PeerState.RETIRED), by=by)


@retried
def repropose_peer(peer: Peer, *, by: Actor, reason: str = "") -> None:
    """Propose a rejected or retired peer again; its pinned keys become proposed and must be approved again.

    Raises ConflictError for a peer in another state.
    """
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        source = _stored_state(peer, PeerState.RETIRED, else_state=PeerState.REJECTED)
        _decide(peer, PeerState.PROPOSED, source=source, reason=reason, by=by)
        peer.keys.filter(state__in=[KeyState.PINNED, KeyState.PROVISIONAL]).update(
            state=KeyState.PROPOSED, valid_until=None
        )


def valid_keys(peer: Peer, now: datetime) -> list[VerificationKey]:
    """Return the peer's keys that are trusted at `now`, newest first, at most three; the peer's state is not checked.

    Provisional keys are trusted while the hub's trust policy is `open`.
    """
    return trusted_keys(peer.keys.order_by(), now)


def find_peer_with_keys(server_url: str, now: datetime) -> tuple[Peer | None, list[VerificationKey]]:
    """Return the peer of a base URL and its keys trusted at `now`; a peer that has a key needs one query."""
    try:
        keys = PeerKey.objects.filter(peer__server_url=normalize_server_url(server_url)).select_related("peer")
    except InvalidIdentifier:
        return None, []
    rows = list(keys.order_by())
    return (rows[0].peer, trusted_keys(rows, now)) if rows else (find_peer(server_url), [])


def trusted_keys(keys: Iterable[PeerKey], now: datetime) -> list[VerificationKey]:
    """Return those of `keys`, all of one peer, that are trusted at `now`, by the rule of `valid_keys`."""
    states = trusted_states()
    valid = [key for key in keys if key.state in states and key.is_valid_at(now)]
    valid.sort(key=lambda key: (key.valid_from, key.created_at), reverse=True)
    return [key.verification_key for key in valid[:MAX_KEYS_TRIED]]


@retried
def change_settings(peer: Peer, wanted: PeerSettings, *, by: Actor) -> None:
    """Store the settings of a peer; raises InvalidRequestError for a relationship or callback origin not allowed."""
    if wanted.relationship not in Relationship.values:
        raise InvalidRequestError(f"relationship: must be one of {', '.join(Relationship.values)}")
    values = {
        "display_name": wanted.display_name.strip(),
        "relationship": wanted.relationship,
        "requires_signature": wanted.requires_signature,
        "callback_origins": checked_origins(wanted.callback_origins),
        "notes": wanted.notes,
        "review_by": wanted.review_by,
    }
    with unit_of_work(with_accounts=True):
        stored = locked(Peer.objects.filter(pk=peer.pk)).get()
        changed = difference(stored, values)
        if changed:
            Peer.objects.filter(pk=peer.pk).update(**values, updated_at=timezone.now())
            names = ", ".join(name.replace("_", " ") for name in changed)
            note_change(peer, JournalKind.PEER, f"Changed: {names}", changed, peer_url=peer.server_url, by=by)
    for name, value in values.items():
        setattr(peer, name, value)


def checked_origins(origins: tuple[str, ...]) -> list[str]:
    """Return callback origins normalized, each once; raises InvalidRequestError for a malformed or blocked origin."""
    if len(origins) > MAX_ORIGINS:
        raise InvalidRequestError(f"callback_origins: at most {MAX_ORIGINS}")
    found: dict[str, None] = {}
    for origin in origins:
        try:
            url = normalize_server_url(origin)
        except InvalidIdentifier as exc:
            hint = ascii_spelling_hint(origin)
            raise InvalidRequestError(f"callback_origins: {origin[:200]} is {exc}{hint}") from exc
        is_origin = url.count("/") == 2
        if not is_origin or not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
            raise InvalidRequestError(f"callback_origins: {origin[:200]} is not an origin that callbacks may go to")
        found[url] = None
    return list(found)


@retried
def set_outbound_key(peer: Peer, raw: str, *, by: Actor) -> None:
    """Store, encrypted, the key that every request to this peer's own origin carries; "" removes the key.

    Raises InvalidRequestError for a text that cannot be the value of a header.
    """
    raw = raw.strip()
    if len(raw) > LONGEST_KEY or not raw.isascii() or not all(sign.isprintable() and sign != " " for sign in raw):
        raise InvalidRequestError("outbound_key: must be printable ASCII without blanks, at most 1,000 characters")
    encrypted = encrypt(raw) if raw else ""
    with unit_of_work(with_accounts=True):
        had = Peer.objects.filter(pk=peer.pk).exclude(outbound_key="").exists()
        Peer.objects.filter(pk=peer.pk).update(outbound_key=encrypted, updated_at=timezone.now())
        text = "Outbound key set" if raw else "Outbound key removed"
        hidden = {"outbound_key": (MASK if had else "", MASK if raw else "")}
        note_change(peer, JournalKind.PEER, text, hidden, peer_url=peer.server_url, by=by)
    peer.outbound_key = encrypted


def outbound_key_of(peer: Peer) -> str:
    """Return the key that requests to this peer's own origin carry, or ""; raises InternalError like `decrypt`."""
    return decrypt(peer.outbound_key) if peer.outbound_key else ""


@contextmanager
def _unchanged_by_failure(peer: Peer) -> Iterator[None]:
    """Restore `state` and `review_by` of the caller's object `peer` if the block fails, as the database does.

    After a conflict the object gets the stored values instead, because the object may be older than the row.
    """
    before = peer.state, peer.review_by
    try:
        yield
    except BaseException as exc:
        peer.state, peer.review_by = before
        if isinstance(exc, ConflictError) and not isinstance(exc, LostRaceError):
            peer.refresh_from_db(fields=["state", "review_by"])
        raise


def _stored_state(peer: Peer, state: PeerState, *, else_state: PeerState) -> PeerState:
    """Return `state` if the peer's row has this state, else `else_state`; the object `peer` may be older."""
    return state if Peer.objects.filter(pk=peer.pk, state=state).exists() else else_state


def _decide(peer: Peer, target: PeerState, *, source: PeerState, reason: str, by: Actor) -> None:
    with _unchanged_by_failure(peer), unit_of_work(with_accounts=True):
        _move(peer, target, source=source)
        _record(peer, source, target, by=by, reason=reason)


def _move(peer: Peer, target: PeerState, *, source: PeerState) -> None:
    """Move the peer from `source` to `target` by compare-and-set.

    Raises ConflictError if the peer is in another state than `source`, or for a transition that is not allowed.
    """
    is_moved = target in TRANSITIONS[source] and Peer.objects.filter(pk=peer.pk, state=source).update(
        state=target,
        updated_at=timezone.now(),
        circuit_failures=0,
        circuit_open_until=None,
        paused_until=None,
        paused_by_name="",
    )
    if not is_moved:
        state = Peer.objects.values_list("state", flat=True).get(pk=peer.pk)
        raise ConflictError(f"{peer.server_url} is {state} and cannot become {target.value}")
    peer.state = target


def _record(peer: Peer, source: str, target: PeerState, *, by: Actor, reason: str = "", fingerprint: str = "") -> None:
    reason = reason.strip()[:MAX_REASON]
    PeerDecision.objects.create(
        peer=peer,
        from_state=source,
        to_state=target,
        reason=reason,
        fingerprint=fingerprint,
        review_by=peer.review_by,
        actor_id=by.id,
        actor_name=by.name,
    )
    changes: dict[str, Change] = {"state": (source, target.value)}
    if fingerprint:
        changes["fingerprint"] = ("", fingerprint)
    note_change(
        peer,
        JournalKind.PEER,
        f"{source or 'new'} -> {target.value}",
        changes,
        peer_url=peer.server_url,
        by=by,
        reason=reason,
        action=UPDATE if source else CREATE,
    )


def _stop(peer: Peer, *, because: str, by: Actor) -> StopEffects:
    now = timezone.now()
    counted = count_stopped(peer, now=now)
    revoke_tokens(peer, now=now)
    peer.delegations.filter(revoked_at=None).update(revoked_at=now)
    dispatches, callbacks = hold_work(peer, because=because)
    runs = cancel_runs_of_peer(peer.pk, reason=f"the hub that sent the work was {peer.state}", by=by)
    stopped = replace(counted, dispatches=dispatches, callbacks=callbacks, runs=runs)
    if text := str(stopped):
        note(JournalKind.PEER, f"{STOPPED} {text}", peer_url=peer.server_url, by=by)
    return stopped


def _compared_key(peer: Peer, fingerprint: str) -> PeerKey | None:
    shown = list(peer.keys.exclude(state=KeyState.REVOKED))
    if not fingerprint.strip():
        if shown:
            raise ConflictError("This peer has shown a key: compare its fingerprint first")
        return None
    wanted = bare_fingerprint(fingerprint)
    if withdrawn := next(
        (key for key in shown if key.withdrawal and bare_fingerprint(key.fingerprint) == wanted), None
    ):
        raise ConflictError(f"This key is {withdrawn.get_withdrawal_display()}: its owner withdrew it")
    for key in shown:
        if bare_fingerprint(key.fingerprint) == wanted:
            return key
    raise ConflictError("No key with this fingerprint is shown any more: fetch the documents and compare again")


def bare_fingerprint(text: str) -> str:
    """Return a fingerprint without its grouping, in lower case, for comparing."""
    return "".join(text.lower().replace(":", " ").split())
