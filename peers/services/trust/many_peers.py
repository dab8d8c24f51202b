"""Decisions about several peers at once: suspend them, or set the day of their review; none approves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, InvalidRequestError
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import JournalEntry, JournalKind, Peer, PeerState
from peers.services.trust.effects import StopEffects
from peers.services.trust.journal import new_line
from peers.services.trust.peers import suspend_peer


@dataclass(frozen=True, slots=True)
class Suspended:
    """The result of `suspend_each`: how many peers are suspended, what ended, and why the others are not."""

    number: int
    stopped: StopEffects
    refusals: tuple[str, ...]


def suspend_each(peers: Sequence[Peer], *, reason: str, by: Actor) -> Suspended:
    """Suspend the peers, each in a transaction of its own; raises InvalidRequestError without a reason."""
    if not reason.strip():
        raise InvalidRequestError("reason: say why the peers are suspended")
    stopped: list[StopEffects] = []
    refusals: list[str] = []
    for peer in peers:
        try:
            stopped.append(suspend_peer(peer, reason=reason, by=by))
        except ConflictError as error:
            refusals.append(error.message)
    sums = (sum(numbers) for numbers in zip(*map(astuple, stopped), strict=True))
    return Suspended(len(stopped), StopEffects(*sums), tuple(refusals))


@retried
def set_review_day(peers: Sequence[Peer], day: date | None, *, by: Actor) -> int:
    """Set the day on which staff want to look at the peers again, None for no day; return the number of peers.

    Only approved peers get a day, because only about them is there a decision to review.
    """
    with unit_of_work():
        approved = Peer.objects.filter(pk__in=[peer.pk for peer in peers], state=PeerState.APPROVED)
        rows = list(locked(approved))
        approved.filter(pk__in=[row.pk for row in rows]).update(review_by=day, updated_at=timezone.now())
        text = f"Changed: review by {day}" if day else "Changed: no day of review"
        JournalEntry.objects.bulk_create(
            new_line(JournalKind.PEER, text, peer_url=row.server_url, by=by) for row in rows
        )
    return len(rows)
