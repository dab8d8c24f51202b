"""Envelopes from before a restore of this hub: put off, because the hub may have taken them in after its backup.

A restore takes the hub back to the moment of its backup. The rows that recognize a second copy of an envelope (the
received dispatch, the nonces) are gone for all that came after this moment. So an envelope that was made before the
restore and whose dispatch the hub does not know gets 425, and its sender sends it again, until staff have compared with
the peer's staff and allow such envelopes. The row of each peer has the boundary, so the lock that a receive holds on
this row orders the receive with the decision of staff.

The boundary is MAX_AHEAD_SECONDS after the end of the restore, because the clock of a peer may be ahead by as much.
It ends by itself FEDHUB_ENVELOPE_MAX_AGE later, when all envelopes from before it are too old. A message without a
time, which only a peer with a token may send, is put off until then too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError, TooEarlyError
from core.store.unit_of_work import retried, unit_of_work
from peers.models import JournalKind, Peer
from peers.protocol.envelope_signatures import MAX_AHEAD_SECONDS
from peers.protocol.timestamps import parse_timestamp
from peers.services.trust.journal import note

RETRY_AFTER_SECONDS = 60
"""Short, because a peer takes this pause for all its messages to this hub."""


class BeforeRestoreError(TooEarlyError):
    """The envelope is from before the restore of this hub, which does not know its dispatch."""

    retry_after_seconds = RETRY_AFTER_SECONDS

    def __init__(self) -> None:
        super().__init__("This server was restored from a backup and cannot tell yet if it has this dispatch")


def check_restore_boundary(peer: Peer, created_at: object, now: datetime) -> None:
    """Raise BeforeRestoreError for an unknown envelope of a locked peer that may be from before the restore.

    `created_at` is the time in the envelope, whose freshness was checked, or None.
    """
    if peer.restore_boundary is None or not is_held_back(peer, now):
        return
    if not isinstance(created_at, str) or not created_at:
        raise BeforeRestoreError
    if parse_timestamp(created_at) < peer.restore_boundary.timestamp():
        raise BeforeRestoreError


def is_held_back(peer: Peer, now: datetime) -> bool:
    """Tell whether unknown envelopes of the peer from before the restore are put off at `now`."""
    boundary = peer.restore_boundary
    return boundary is not None and now < boundary + timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE)


def begin_after_restore(restored_at: datetime, *, text: str, digest: str) -> None:
    """Set the boundary of all peers and write the log's entry of the restore, in the transaction of the restore.

    `digest` is the SHA-256, in hex, of what was restored.
    """
    boundary = restored_at + timedelta(seconds=MAX_AHEAD_SECONDS)
    Peer.objects.update(restore_boundary=boundary)
    note(JournalKind.RESTORED, text, digest=digest)


@retried
def allow_older(peer: Peer, *, reason: str, by: Actor) -> None:
    """Take in envelopes of a peer from before the restore too, from now on; the log keeps who decided it and why.

    Raises InvalidRequestError without a reason, ConflictError for a peer that has no boundary.
    """
    if not reason.strip():
        raise InvalidRequestError("reason: say why envelopes from before the restore are allowed")
    with unit_of_work():
        found = Peer.objects.filter(pk=peer.pk, restore_boundary__isnull=False)
        if not found.update(restore_boundary=None, updated_at=timezone.now()):
            raise ConflictError(f"{peer.server_url} may send envelopes from before the restore already")
        text = f"Envelopes from before the restore are allowed: {reason.strip()}"
        note(JournalKind.PEER, text, peer_url=peer.server_url, by=by)
    peer.restore_boundary = None


def held_back_peers() -> list[Peer]:
    """Return the peers whose unknown envelopes from before the restore are put off."""
    since = timezone.now() - timedelta(seconds=settings.FEDHUB_ENVELOPE_MAX_AGE)
    return list(Peer.objects.filter(restore_boundary__gt=since).order_by("server_url"))
