"""Show MCP servers to callers of the registry's API without a token, and hide them again."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from core.activity.recording import record_all
from core.actors import Actor
from core.store.unit_of_work import retried, unit_of_work
from federations.models import McpServer
from federations.services.batches import batches
from federations.services.deleted_servers import note_deleted, note_there_again


@retried
def set_public(server_ids: Sequence[str], is_public: bool, *, by: Actor) -> int:
    """Make the servers public, or hide them; return the number of those that were not so before."""
    changed = 0
    with unit_of_work(with_accounts=True):
        for batch in batches(list(server_ids)):
            rows = McpServer.objects.filter(pk__in=batch, is_public=not is_public)
            if is_public:
                note_there_again(list(rows.values_list("path", flat=True)), is_public=True)
            else:
                note_deleted(rows, is_only_hidden=True)
            told = {row.pk: (row, {"is_public": (not is_public, is_public)}) for row in rows.only("server_name")}
            record_all(told, by=by)
            changed += rows.update(
                is_public=is_public, visibility_changed_at=timezone.now(), visibility_changed_by_name=by.name
            )
    return changed
