"""Checkpoints of the federation log, exchanged with peers so that neither side rewrites its past unseen.

Each delivery and each answer to one carries the sender's newest checkpoint in a header; a daily request sends it too
and asks which checkpoints of this hub the peer holds. A checkpoint proves itself by its signature, with the approved
keys of the peer. A hub stores of each peer the newest checkpoint, the last one of each earlier day, and those that show
a fork. After a fork it stores no further checkpoint of that log, until staff acknowledge it.

A request makes no query for this: the own checkpoint is cached, and a worker verifies and stores the peer's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.jobs.queue import enqueue
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import CheckpointStanding, JournalKind, LogBatch, Peer, PeerCheckpoint, PeerState
from peers.protocol import JsonMapping, JsonObject, ProtocolError, VerificationKey, did_of_url
from peers.protocol.errors import MalformedMessage
from peers.protocol.federation_log import MAX_AHEAD_SECONDS, MAX_HEADER_CHARS, Checkpoint, contradiction
from peers.protocol.log_verification import Held
from peers.protocol.timestamps import parse_timestamp
from peers.services.trust.identity import hub_identity
from peers.services.trust.journal import note
from peers.services.trust.peers import valid_keys

OWN_SECONDS = 10.0
OFFER_SECONDS = 60.0
"""A process passes on at most one checkpoint of a peer in this time, so that a peer cannot fill the queue."""

MAX_PEERS_REMEMBERED = 5000
MAX_LOGS, MAX_FORKS = 5, 10
MAX_HELD_SENT = 50

_LATEST = (CheckpointStanding.NEWEST, CheckpointStanding.PROVED)

logger = logging.getLogger(__name__)
_own: tuple[float, str] = (0.0, "")
_offered: dict[str, tuple[float, str]] = {}


# In requests and deliveries -----------------------------------------------------------------------------------------
def own_checkpoint_header() -> str:
    """Return this hub's newest checkpoint as a header value, at most ten seconds old; "" before the first sealing."""
    global _own
    until, text = _own
    if time.monotonic() < until:
        return text
    newest = own_checkpoint()
    text = newest.to_header() if newest else ""
    _own = (time.monotonic() + OWN_SECONDS, text)
    return text


def own_checkpoint() -> Checkpoint | None:
    """Return this hub's newest checkpoint; None before the first sealing."""
    newest = LogBatch.objects.order_by("-number").first()
    return newest.checkpoint if newest else None


def pass_on(peer: Peer, header: str | None) -> None:
    """Let a worker verify and store the checkpoint of a peer, given as a header value; ignore an absent one."""
    if not header or len(header) > MAX_HEADER_CHARS or not header.isascii():
        return
    until, known = _offered.get(peer.pk, (0.0, ""))
    if header == known or time.monotonic() < until:
        return
    if len(_offered) >= MAX_PEERS_REMEMBERED:
        _offered.clear()
    _offered[peer.pk] = (time.monotonic() + OFFER_SECONDS, header)
    enqueue("peers.take_checkpoint", peer.pk, header)


def forget_all() -> None:
    """Forget the cached checkpoints, as a new process does."""
    global _own
    _own = (0.0, "")
    _offered.clear()


# Checkpoints of a peer's log ----------------------------------------------------------------------------------------
def take_checkpoint(peer_id: str, header: str, *, now: datetime) -> None:
    """Verify and store a checkpoint of an approved peer; one that does not hold is logged and not stored."""
    peer = Peer.objects.filter(pk=peer_id, state=PeerState.APPROVED).first()
    if peer is None:
        return
    try:
        record_checkpoint(peer, Checkpoint.from_header(header), now=now)
    except ProtocolError as exc:
        logger.warning("A checkpoint of %s is refused: %s", peer.server_url, exc)


def record_checkpoint(peer: Peer, checkpoint: Checkpoint, *, now: datetime) -> None:
    """Store a checkpoint of the peer's log if it holds: the newest one, or one that shows a fork.

    Raises MalformedMessage for a time in the future, SignatureMismatch or UnknownKey unless an approved key of the peer
    signed the checkpoint.
    """
    if parse_timestamp(checkpoint.at) > now.timestamp() + MAX_AHEAD_SECONDS:
        raise MalformedMessage("the checkpoint is from the future")
    checkpoint.verify(keys=valid_keys(peer, now), did=peer.did or did_of_url(peer.server_url))
    _store(peer, checkpoint, is_ours=False, now=now)


def held_of(peer: Peer) -> list[JsonObject]:
    """Return the checkpoints of the peer's log that this hub holds, those that show a fork and the newest first."""
    rows = PeerCheckpoint.objects.filter(peer=peer, is_ours=False)
    forks = list(rows.filter(standing=CheckpointStanding.FORK)[:MAX_FORKS])
    others = rows.exclude(standing=CheckpointStanding.FORK).order_by("-received_at", "-position")
    return [row.document for row in (*forks, *others[: MAX_HELD_SENT - len(forks)])]


def warnings_about(peer: Peer) -> list[str]:
    """Return what staff must know about the peer's log: its forks, and that it was replaced by another log."""
    open_rows = PeerCheckpoint.objects.filter(peer=peer, is_ours=False, acknowledged_at=None)
    rows = list(open_rows.exclude(standing=CheckpointStanding.KEPT))
    forks = [row.reason for row in rows if row.standing == CheckpointStanding.FORK]
    logs = {row.log_id for row in rows if row.standing in _LATEST}
    return forks[:1] or ([f"the peer has begun {len(logs)} logs"] if len(logs) > 1 else [])


@retried
def acknowledge_log(peer: Peer, *, reason: str, by: Actor) -> None:
    """Acknowledge that the peer rewrote its log or began another one, such as after a restore from a backup.

    Of the checkpoints that the hub holds, the one with the latest time becomes the one that further checkpoints must
    extend. All others stay as proof, with the reason and the person, and nothing is compared with them any more. Raises
    InvalidRequestError without a reason, ConflictError where nothing is wrong with the peer's log.
    """
    if not reason.strip():
        raise InvalidRequestError("Say why the peer's log may go on")
    with unit_of_work():
        rows = list(locked(PeerCheckpoint.objects.filter(peer=peer, is_ours=False, acknowledged_at=None)))
        warnings = warnings_about(peer)
        if not warnings:
            raise ConflictError("Nothing is wrong with the log of this peer")
        latest = max(rows, key=lambda row: (row.checkpoint.at, row.position))
        others = PeerCheckpoint.objects.filter(pk__in=[row.pk for row in rows if row.pk != latest.pk])
        others.update(
            acknowledged_at=timezone.now(), acknowledged_reason=reason.strip(), acknowledged_by_name=by.name[:200]
        )
        PeerCheckpoint.objects.filter(pk=latest.pk).update(standing=CheckpointStanding.NEWEST, reason="")
        text = f"Acknowledged ({warnings[0]}); the log goes on from position {latest.position}: {reason.strip()}"
        note(JournalKind.LOG, text, peer_url=peer.server_url, digest=latest.digest, by=by)


# Checkpoints of this hub's log --------------------------------------------------------------------------------------
def record_held(peer: Peer, documents: Iterable[object], *, now: datetime) -> int:
    """Store the checkpoints of this hub's log that the peer answered that it holds; return the number of genuine ones.

    A checkpoint that no key of this hub signed is ignored. One that is not in this hub's log becomes a journal line:
    the log was rewritten, or the hub was restored from a backup.
    """
    keys = _all_own_keys()
    genuine = 0
    for document in documents:
        try:
            checkpoint = Checkpoint.from_dict(document if isinstance(document, dict) else {})
            checkpoint.verify(keys=keys, did=hub_identity().did)
        except ProtocolError as exc:
            logger.warning("%s holds a checkpoint that is not of this hub: %s", peer.server_url, exc)
            continue
        genuine += 1
        _store(peer, checkpoint, is_ours=True, now=now)
    return genuine


def held_by_peers() -> list[Held]:
    """Return the checkpoints of this hub's log that peers have answered that they hold, as far as a key signed them."""
    rows = PeerCheckpoint.objects.filter(is_ours=True).select_related("peer")
    return [Held(found, row.peer.server_url) for row in rows.iterator() if (found := genuine_own(row.document))]


def genuine_own(document: JsonMapping) -> Checkpoint | None:
    """Return a checkpoint that a key of this hub signed; None for every other document."""
    try:
        checkpoint = Checkpoint.from_dict(document)
    except ProtocolError:
        return None
    is_own_key = checkpoint.key in {key.multibase for key in _all_own_keys()}
    return checkpoint if is_own_key and checkpoint.is_signed_by_its_key else None


def _all_own_keys() -> list[VerificationKey]:
    """Return the keys of this hub, with those that signed earlier batches."""
    keys = {key.multibase: key for key in hub_identity().verification_keys}
    for text in LogBatch.objects.order_by().values_list("key", flat=True).distinct():
        keys.setdefault(text, VerificationKey.from_multibase(text))
    return list(keys.values())


# Both ---------------------------------------------------------------------------------------------------------------
@retried
def _store(peer: Peer, checkpoint: Checkpoint, *, is_ours: bool, now: datetime) -> None:
    anchor = LogBatch.anchor() if is_ours else None
    if anchor is not None and checkpoint.position < anchor.last_position:
        # The entries are pruned, so nothing can be compared. A later checkpoint of the peer covers them.
        return
    with unit_of_work():
        rows = PeerCheckpoint.objects.filter(peer=peer, is_ours=is_ours)
        open_rows = rows.filter(acknowledged_at=None)
        of_log = open_rows.filter(log_id=checkpoint.log)
        newest = list(locked(of_log.filter(standing=CheckpointStanding.NEWEST)))
        if rows.filter(digest=checkpoint.digest).exists():
            return
        if of_log.filter(standing=CheckpointStanding.FORK).exists():
            logger.warning("A checkpoint of %s is not stored, because its log has a fork", peer.server_url)
            return
        if reason := _fork(of_log, checkpoint, is_ours=is_ours):
            _insert(peer, checkpoint, CheckpointStanding.FORK, is_ours=is_ours, now=now, reason=reason)
            of_whom = "This hub's log, as the peer holds it" if is_ours else "The peer's log"
            text = f"{of_whom}, does not fit: {reason}" if is_ours else f"{of_whom} has a fork: {reason}"
            note(JournalKind.PEER, text, peer_url=peer.server_url, digest=checkpoint.digest)
            return
        if not of_log.exists() and not _begin_log(peer, open_rows, checkpoint, is_ours=is_ours):
            return
        if of_log.filter(standing__in=_LATEST, position__gt=checkpoint.position).exists():
            return
        for row in newest:
            _retire(row, now=now)
        _insert(peer, checkpoint, CheckpointStanding.NEWEST, is_ours=is_ours, now=now)


def _fork(of_log: QuerySet[PeerCheckpoint], checkpoint: Checkpoint, *, is_ours: bool) -> str:
    """Return why the checkpoint contradicts a stored one, or, with `is_ours`, this hub's own log; "" if it does not."""
    if is_ours:
        batch = LogBatch.objects.filter(last_position=checkpoint.position).first()
        if batch is None or batch.checkpoint.digest != checkpoint.digest:
            return f"checkpoint {checkpoint.batch} of position {checkpoint.position} is not in the log"
    near = of_log.filter(Q(standing__in=_LATEST) | Q(position__gte=checkpoint.position))
    return next((reason for row in near if (reason := contradiction(row.checkpoint, checkpoint))), "")


def _begin_log(peer: Peer, rows: QuerySet[PeerCheckpoint], checkpoint: Checkpoint, *, is_ours: bool) -> bool:
    """Tell whether the first checkpoint of a log may be stored; note it where the peer had another log before."""
    logs = set(rows.order_by().values_list("log_id", flat=True).distinct())
    if len(logs) >= MAX_LOGS:
        logger.warning("A checkpoint of %s is not stored: it began more than %d logs", peer.server_url, MAX_LOGS)
        return False
    if logs and not is_ours:
        text = f"The peer has begun another log, {checkpoint.log}, at position {checkpoint.position}"
        note(JournalKind.PEER, text, peer_url=peer.server_url, digest=checkpoint.digest)
    return True


def _retire(row: PeerCheckpoint, *, now: datetime) -> None:
    """Keep the last checkpoint of an earlier day; delete one of today, which a newer one follows."""
    if row.received_at.date() < now.date():
        PeerCheckpoint.objects.filter(pk=row.pk).update(standing=CheckpointStanding.KEPT)
    else:
        PeerCheckpoint.objects.filter(pk=row.pk).delete()


def _insert(
    peer: Peer, checkpoint: Checkpoint, standing: CheckpointStanding, *, is_ours: bool, now: datetime, reason: str = ""
) -> None:
    PeerCheckpoint(
        peer=peer,
        is_ours=is_ours,
        log_id=checkpoint.log,
        position=checkpoint.position,
        digest=checkpoint.digest,
        standing=standing,
        reason=reason[:300],
        document=checkpoint.to_dict(),
        received_at=now,
    ).save(force_insert=True)
