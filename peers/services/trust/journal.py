"""Write the journal: the log of decisions about peers and of messages between hubs."""

from __future__ import annotations

from collections.abc import Mapping

from core.activity.recording import UPDATE, Change, record
from core.actors import Actor
from peers.models import JournalEntry, JournalKind, Peer, PeerKey

MAX_TEXT = 2000
JOURNAL = "journal"
"""The name of the journal among the books of the Activity."""


def note(
    kind: JournalKind,
    text: str,
    *,
    peer_url: str = "",
    dispatch_id: str = "",
    by: Actor | None = None,
    digest: str = "",
) -> JournalEntry:
    """Write one journal line, in the open transaction if there is one; a text that is too long for it is cut.

    `digest` is the SHA-256, in hex, of the message that the line is about.
    """
    line = new_line(kind, text, peer_url=peer_url, dispatch_id=dispatch_id, by=by, digest=digest)
    line.save(force_insert=True)
    return line


def note_change(
    row: Peer | PeerKey,
    kind: JournalKind,
    text: str,
    changes: Mapping[str, Change],
    *,
    peer_url: str,
    by: Actor,
    reason: str = "",
    action: int = UPDATE,
) -> None:
    """Write the journal line of a decision, and beside it the row of the audit log with the fields and the reason.

    The open unit of work is one `with_accounts`.
    """
    reason = reason.strip()
    line = note(kind, f"{text}: {reason}" if reason else text, peer_url=peer_url, by=by)
    record(row, changes, by=by, reason=reason, action=action, at=line.at, tells=f"{JOURNAL}-{line.pk}")


def new_line(
    kind: JournalKind,
    text: str,
    *,
    peer_url: str = "",
    dispatch_id: str = "",
    by: Actor | None = None,
    digest: str = "",
) -> JournalEntry:
    """Return a journal line that is not written yet, for a caller that writes many rows at once."""
    return JournalEntry(
        kind=kind,
        text=text[:MAX_TEXT],
        peer_url=peer_url[:500],
        dispatch_id=dispatch_id[:200],
        actor_name=by.name if by else "",
        digest=digest,
    )
