"""Keep the names of MCP servers that are no longer there, for the registries that read this hub's changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from federations.models import DeletedServer, McpServer
from federations.services.batches import BATCH, batches

KEPT = timedelta(days=30)
"""How long a deleted server is named."""

_COPIED = ("server_name", "path", "title", "description", "runtime_version", "created_at")


def note_deleted(servers: QuerySet[McpServer], *, is_only_hidden: bool = False) -> None:
    """Note the end of `servers`, inside the caller's unit of work and before their deletion.

    With `is_only_hidden` the servers stay, and only callers without a token no longer see them.
    """
    rows = list(servers.order_by().only("federation_id", "is_public", *_COPIED))
    known = _at([row.path for row in rows])
    was_public = {row.path for row in known if row.was_public}
    _delete(known)
    ended = [
        DeletedServer(
            federation_id=row.federation_id or "",
            was_public=row.is_public or row.path in was_public,
            is_only_hidden=is_only_hidden,
            **{name: getattr(row, name) for name in _COPIED},
        )
        for row in rows
    ]
    DeletedServer.objects.bulk_create(ended, batch_size=BATCH)


def note_there_again(paths: Collection[str], *, is_public: bool = False) -> None:
    """Take the notes about the servers at `paths` back, inside the caller's unit of work.

    A server that is there again but not public stays deleted for callers without a token.
    """
    known = _at(list(paths))
    _delete([row for row in known if is_public or not row.was_public])
    hidden = [row.pk for row in known if row.was_public and not is_public]
    for batch in batches(hidden):
        DeletedServer.objects.filter(pk__in=batch).update(is_only_hidden=True)


def forget_old(now: datetime, most: int) -> int:
    """Delete at most `most` rows that are no longer named; return their number."""
    old = DeletedServer.objects.filter(deleted_at__lt=now - KEPT).order_by("deleted_at")
    keys = list(old.values_list("pk", flat=True)[:most])
    return DeletedServer.objects.filter(pk__in=keys).delete()[0] if keys else 0


def named_since() -> datetime:
    """Return the time since which deleted servers are named."""
    return timezone.now() - KEPT


def _at(paths: Sequence[str]) -> list[DeletedServer]:
    return [row for batch in batches(paths) for row in DeletedServer.objects.filter(path__in=batch)]


def _delete(rows: Sequence[DeletedServer]) -> None:
    for batch in batches([row.pk for row in rows]):
        DeletedServer.objects.filter(pk__in=batch).delete()
