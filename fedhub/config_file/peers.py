"""Peers: observe them, fetch their published keys, and write the changes of the file to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from django.utils import timezone

from core.actors import Actor
from core.errors import HubError
from core.store.unit_of_work import locked
from fedhub.config_file import peer_changes
from fedhub.config_file.document import fingerprint_of
from fedhub.config_file.kinds import Kind, Write, Written
from fedhub.config_file.peer_changes import APPROVAL, PROPOSED, change_of_peer, is_approval, new_keys, steps
from fedhub.config_file.plan import Change, Key, Observed, Secret
from peers.models import KeyOrigin, KeyState, Peer, PeerKey, PeerState
from peers.protocol import VerificationKey, did_of_url
from peers.services.trust.keys import approve_key, propose_key, revoke_key
from peers.services.trust.peer_documents import fetch_documents
from peers.services.trust.peers import (
    PeerSettings,
    add_peer,
    approve_peer,
    change_settings,
    outbound_key_of,
    reject_peer,
    repropose_peer,
    resume_peer,
    retire_peer,
    set_outbound_key,
    suspend_peer,
)

REASON = "Configuration file"
OVERLAP_DAYS = 7
"""The days for which older keys stay trusted beside a new one, as the admin proposes."""

_COLUMNS = {
    "name": "display_name", "relationship": "relationship", "requires_signature": "requires_signature",
    "callback_origins": "callback_origins", "notes": "notes", "review_by": "review_by",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """The keys that a peer publishes, by fingerprint, or why they could not be fetched."""

    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    problem: str = ""


def observe(keys: Collection[Key] | None = None) -> dict[Key, Observed]:
    """Return the peers by normalized URL."""
    rows, now = Peer.objects.prefetch_related("keys").order_by("server_url"), timezone.now()
    if keys is not None:
        rows = rows.filter(server_url__in=[url for (url,) in keys])
    return {(row.server_url,): _observed(row, now) for row in rows}


def _observed(row: Peer, now: datetime) -> Observed:
    values = {
        "name": row.display_name,
        "relationship": row.relationship,
        "requires_signature": row.requires_signature,
        "callback_origins": list(row.callback_origins),
        "notes": row.notes,
        "review_by": row.review_by.isoformat() if row.review_by else None,
        "outbound_key": _outbound_key(row),
        "state": row.state,
    }
    statuses = {key.fingerprint: _status(key, now) for key in row.keys.all()}
    is_trusted = row.state in (PeerState.APPROVED, PeerState.SUSPENDED)
    accepted = sorted(each for each, status in statuses.items() if status == "accepted" and is_trusted)
    values["fingerprints"] = accepted
    return Observed(values, {"keys": statuses, "is_from_stranger": bool(row.proposed_from)})


def _status(key: PeerKey, now: datetime) -> str:
    if key.state == KeyState.REVOKED:
        return "revoked"
    if key.state == KeyState.PINNED:
        return "ended" if key.valid_until and key.valid_until <= now else "accepted"
    return "withdrawn" if key.withdrawal else "open"


def _outbound_key(row: Peer) -> Secret | None:
    if not row.outbound_key:
        return None
    try:
        return Secret(outbound_key_of(row))
    except HubError:
        # It was encrypted with a key that this hub does not have any more.
        return Secret("")


def lock(key: Key) -> None:
    """Lock the peer of this URL."""
    list(locked(Peer.objects.filter(server_url=key[0])))


def prepare(change: Change) -> Published:
    """Fetch the peer's documents if the change accepts a key; call it outside of any transaction."""
    if not new_keys(change):
        return Published()
    url = change.key[0]
    try:
        documents = fetch_documents(Peer(server_url=url, did=did_of_url(url)))
    except HubError as exc:
        return Published(problem=exc.message)
    return Published({fingerprint_of(key.fingerprint): key for key in documents.keys})


def write(task: Write) -> Written:
    """Write one change of a peer, in its transaction. A peer that publishes no listed key keeps its state."""
    url, by = task.change.key[0], task.by
    new, published = task.change.after, task.prepared or Published()
    peer = Peer.objects.filter(server_url=url).first() or add_peer(url, by=by)
    listed = new_keys(task.change)
    found = [published.keys[each] for each in listed if each in published.keys]
    problems = [_problem(each, published) for each in listed if each not in published.keys]
    if "state" in new:
        problems += _move(peer, new["state"], found, by)
    if not is_approval(task.change):
        for key in found:
            approve_key(_proposed(peer, key, by), overlap_days=OVERLAP_DAYS, by=by, reason=REASON)
        _revoke(peer, set(task.change.before.get("fingerprints") or ()) - set(new.get("fingerprints") or ()), by)
    if set(new) & set(_COLUMNS):
        _change_settings(peer, new, by)
    if "outbound_key" in new:
        key = new["outbound_key"]
        set_outbound_key(peer, key.reveal() if key else "", by=by)
    return Written(tuple(problems))


def _problem(fingerprint: str, published: Published) -> str:
    if published.problem:
        return f"key {fingerprint[:9]}… is not accepted: {published.problem}"
    shown = ", ".join(published.keys) or "no key"
    return f"key {fingerprint[:9]}… is not accepted: the peer publishes {shown}"


def _move(peer: Peer, target: str, found: list[VerificationKey], by: Actor) -> list[str]:
    """Lead the peer to a state, step by step; stop before an approval for which no key was found."""
    for step in steps(peer.state, target):
        if step == APPROVAL and not found:
            return [f"stays {PROPOSED}"]
        if step == APPROVAL:
            _approve(peer, found, by)
        elif step[0] == PeerState.SUSPENDED and step[1] == PeerState.APPROVED:
            resume_peer(peer, by=by, reason=REASON)
        else:
            _DECISIONS[PeerState(step[1])](peer, by=by, reason=REASON)
    return []


_DECISIONS: dict[PeerState, Callable[..., object]] = {
    PeerState.REJECTED: reject_peer,
    PeerState.SUSPENDED: suspend_peer,
    PeerState.RETIRED: retire_peer,
    PeerState.PROPOSED: repropose_peer,
}


def _approve(peer: Peer, found: list[VerificationKey], by: Actor) -> None:
    rows = [_proposed(peer, key, by) for key in found]
    approve_peer(peer, key_fingerprint=rows[0].fingerprint, by=by, reason=REASON, review_by=peer.review_by)
    for row in rows[1:]:
        approve_key(row, overlap_days=OVERLAP_DAYS, by=by, reason=REASON)


def _proposed(peer: Peer, key: VerificationKey, by: Actor) -> PeerKey:
    return propose_key(peer, key, origin=KeyOrigin.PUBLISHED, by=by)


def _revoke(peer: Peer, fingerprints: Collection[str], by: Actor) -> None:
    for key in peer.keys.exclude(state=KeyState.REVOKED):
        if key.fingerprint in fingerprints:
            revoke_key(key, by=by, reason=REASON)


def _change_settings(peer: Peer, new: Mapping[str, object], by: Actor) -> None:
    values = {column: getattr(peer, column) for column in _COLUMNS.values()}
    values |= {_COLUMNS[name]: value for name, value in new.items() if name in _COLUMNS}
    review_by = values["review_by"]
    values["review_by"] = date.fromisoformat(review_by) if isinstance(review_by, str) else review_by
    values["callback_origins"] = tuple(values["callback_origins"])
    change_settings(peer, PeerSettings(**values), by=by)


KIND = Kind(observe, lock, write, peer_changes.deletion_of, change_of_peer, prepare)
