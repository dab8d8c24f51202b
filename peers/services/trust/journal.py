"""Write the journal: the log of decisions about peers and of messages between hubs."""

from __future__ import annotations

from core.actors import Actor
from peers.models import JournalEntry, JournalKind

MAX_TEXT = 2000


def note(
    kind: JournalKind,
    text: str,
    *,
    peer_url: str = "",
    dispatch_id: str = "",
    by: Actor | None = None,
    digest: str = "",
) -> None:
    """Write one journal line, in the open transaction if there is one; a text that is too long for it is cut.

    `digest` is the SHA-256, in hex, of the message that the line is about.
    """
    new_line(kind, text, peer_url=peer_url, dispatch_id=dispatch_id, by=by, digest=digest).save(force_insert=True)


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
