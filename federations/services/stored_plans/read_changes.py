"""Read the changes of plans and jobs as people and programs see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import QuerySet

from core.store.compressed_json import unpack
from federations.models import PlannedChange, StoredPlan, SyncJob
from federations.services.stored_plans.rows import ACTION_ORDER
from federations.sync.changes import Unchanged
from federations.sync.resources import JsonObject

SHOWN_ACTIONS = tuple(action for action in ACTION_ORDER if action != Unchanged.action)


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A row with its detail: the changed `fields` and `items`, as JSON of the API contract."""

    row: PlannedChange
    fields: list[JsonObject]
    items: list[JsonObject]


def changes_of(owner: StoredPlan | SyncJob) -> QuerySet[PlannedChange]:
    """Return the rows of a plan's or a job's changes in their order, without those that only hold a content."""
    of_owner = {"plan": owner} if isinstance(owner, StoredPlan) else {"job": owner}
    rows = PlannedChange.objects.filter(**of_owner).exclude(action=Unchanged.action)
    return rows.defer("content").order_by("position")


def with_details(rows: Iterable[PlannedChange]) -> Iterator[ShownChange]:
    """Yield each row with its unpacked detail, which is empty for a skip and an error."""
    for row in rows:
        detail = cast(dict[str, Any], unpack(row.detail) or {})
        yield ShownChange(row, detail.get("fields", []), detail.get("items", []))
