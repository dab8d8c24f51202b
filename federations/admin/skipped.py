"""The notice about skipped resources: another federation already has their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federations.models import Federation, SyncJob
from federations.services.access import AnyUser, federations_visible_to
from federations.services.name_owners import find_name_owners
from federations.sync.resources import Json

MAX_OWNERS = 20


@dataclass(frozen=True, slots=True)
class SkippedNotice:
    """What an admin page says about the runtimes that a sync skipped because of their names.

    `count` is the number of skipped runtimes. `owners` are the federations whose resources have these names and which
    the user may view; `has_hidden` tells whether there are owners that the user may not view.
    """

    count: int
    owners: tuple[Federation, ...]
    has_hidden: bool


def skipped_notice(user: AnyUser, changes: Sequence[Mapping[str, Json]], *, federation_id: str) -> SkippedNotice | None:
    """Return the notice about the skipped resources in `changes`, or None if there are none."""
    count = sum(change["action"] == "skip" for change in changes)
    if not count:
        return None
    owners = find_name_owners(changes, federation_id=federation_id)[:MAX_OWNERS]
    visible = set(
        federations_visible_to(user).order_by().filter(id__in=[each.id for each in owners]).values_list("id", flat=True)
    )
    shown = tuple(owner for owner in owners if owner.id in visible)
    return SkippedNotice(count, shown, has_hidden=len(shown) < len(owners))


def notice_of_last_sync(user: AnyUser, federation: Federation) -> SkippedNotice | None:
    """Return the notice about the last sync of `federation`. The function loads the job's changes itself."""
    job = SyncJob.objects.filter(pk=federation.last_sync_id).only("changes").first()
    return skipped_notice(user, job.changes, federation_id=federation.pk) if job else None
