"""Change the visibility of many discovered agents at once, take such a change back, and tell who sees an agent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from core.activity.recording import record_all
from core.actors import Actor
from core.errors import InvalidRequestError
from core.ids import new_object_id
from core.store.many_rows import update_each
from core.store.unit_of_work import LostRaceError, locked, retried, unit_of_work
from federations.services.batches import BATCH, batches
from peers.models import AgentVisibilityChoice, Peer, PeerState
from peers.protocol import AgentVisibility, TrustPolicy
from peers.services.trust.identity import is_enabled

Place = tuple[str, str]
"""A discovered agent: the id of its federation ("" for none), and its path."""


@dataclass(frozen=True, slots=True)
class Audience:
    """The callers that see an agent of one visibility.

    `is_everyone` says that callers without a proof see it too; `are_approved_peers` that approved peers see it.
    `is_off` says that the protocol is off, so none of them sees it until it is on.
    """

    is_everyone: bool = False
    are_approved_peers: bool = False
    is_off: bool = False


def audience_of(visibility: str | AgentVisibility) -> Audience:
    """Return the callers that see an agent of this visibility under the hub's settings."""
    is_trusting = settings.FEDHUB_TRUST_POLICY != TrustPolicy.TRUSTLESS
    return Audience(
        is_everyone=visibility == AgentVisibility.PUBLIC,
        are_approved_peers=visibility == AgentVisibility.UNLISTED and is_trusting,
        is_off=not is_enabled(),
    )


def why_unseen(visibility: str | AgentVisibility, peer: Peer | None) -> str:
    """Return why `peer`, or a caller without a proof (None), does not see an agent of this visibility."""
    if not is_enabled():
        return "The protocol between hubs is off (FEDHUB_ENABLED), so other hubs see no agent."
    if visibility == AgentVisibility.PRIVATE:
        return "The agent is private, so other hubs do not see it."
    if settings.FEDHUB_TRUST_POLICY == TrustPolicy.TRUSTLESS:
        return "The agent is unlisted, and under the trust policy trustless peers see public agents alone."
    if peer is None:
        return "The agent is unlisted, so only approved peers see it."
    return f"The agent is unlisted, so only approved peers see it. This peer is {peer.get_state_display().lower()}."


def checked_visibility(visibility: str | AgentVisibility) -> AgentVisibility:
    """Return the visibility; raise InvalidRequestError for an unknown one."""
    try:
        return AgentVisibility(visibility)
    except ValueError as exc:
        known = ", ".join(choice.value for choice in AgentVisibility)
        raise InvalidRequestError(f"visibility: must be one of {known}") from exc


@retried
def set_visibilities(places: Collection[Place], visibility: str | AgentVisibility, by: Actor) -> str:
    """Set the visibility of the discovered agents at `places`, and return the id of this change.

    A choice that has the visibility already is not written. Raises InvalidRequestError for an unknown visibility.
    """
    chosen = checked_visibility(visibility).value
    change_id, now = new_object_id(), timezone.now()
    with unit_of_work(with_accounts=True):
        known = choices_at(places, lock=True)
        changed = [row for row in known.values() if row.visibility != chosen]
        for row in changed:
            row.previous, row.visibility = row.visibility, chosen
        new = [
            AgentVisibilityChoice(federation_id=federation_id, path=path, visibility=chosen)
            for federation_id, path in sorted(set(places) - set(known))
        ]
        for row in (*changed, *new):
            row.change_id, row.changed_by_name, row.changed_at = change_id, by.name, now
        columns = ("visibility", "previous", "change_id", "changed_by_name", "changed_at")
        update_each(changed, columns, batch_size=BATCH)
        try:
            AgentVisibilityChoice.objects.bulk_create(new, batch_size=BATCH)
        except IntegrityError as exc:
            # Another transaction made the first choice for one of these agents.
            raise LostRaceError from exc
        _record([(row, row.previous, chosen) for row in (*changed, *new)], by)
    return change_id


@retried
def undo_visibilities(change_id: str, places: Collection[Place], by: Actor) -> int:
    """Give the agents at `places` the visibility that they had before the change, and return their number.

    An agent that another change has touched since then is left as it is.
    """
    now = timezone.now()
    with unit_of_work(with_accounts=True):
        rows = [row for row in choices_at(places, lock=True).values() if row.change_id == change_id]
        back = [row for row in rows if row.previous]
        _record([(row, row.visibility, row.previous) for row in rows], by)
        for row in back:
            row.visibility, row.previous, row.change_id = row.previous, "", ""
            row.changed_by_name, row.changed_at = by.name, now
        columns = ("visibility", "previous", "change_id", "changed_by_name", "changed_at")
        update_each(back, columns, batch_size=BATCH)
        for batch in batches([row.pk for row in rows if row not in back]):
            AgentVisibilityChoice.objects.filter(pk__in=batch).delete()
    return len(rows)


@retried
def forget_visibilities(places: Collection[Place], by: Actor) -> None:
    """Take the choices of staff for the agents at `places` back, so that the hub's default applies to them again."""
    with unit_of_work(with_accounts=True):
        rows = choices_at(places, lock=True).values()
        _record([(row, row.visibility, "") for row in rows], by)
        for batch in batches([row.pk for row in rows]):
            AgentVisibilityChoice.objects.filter(pk__in=batch).delete()


def key_of_place(federation_id: str | None, path: str) -> str:
    """Return the key under which the audit log has the choices about an agent: they outlive the agent's row."""
    return f"{federation_id or ''}:{path}"[:255]


def _record(changes: Sequence[tuple[AgentVisibilityChoice, str, str]], by: Actor) -> None:
    default = settings.FEDHUB_VISIBILITY_DEFAULT
    rows = {
        key_of_place(row.federation_id, row.path): (row, {"visibility": (before or default, after or default)})
        for row, before, after in changes
    }
    record_all(rows, by=by)


def choices_at(places: Collection[Place], *, lock: bool = False) -> dict[Place, AgentVisibilityChoice]:
    """Return the choices of staff for the agents at `places`; an agent with the hub's default has none."""
    wanted, rows = set(places), AgentVisibilityChoice.objects.all()
    found = (
        row
        for batch in batches(sorted({path for _, path in wanted}))
        for row in (locked(rows.filter(path__in=batch)) if lock else rows.filter(path__in=batch))
    )
    return {(row.federation_id, row.path): row for row in found if (row.federation_id, row.path) in wanted}


def approved_peers() -> QuerySet[Peer]:
    """Return the approved peers, by URL."""
    return Peer.objects.filter(state=PeerState.APPROVED).order_by("server_url")
