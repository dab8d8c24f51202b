"""The open plans of a federation, as its page lists them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from core.admin.cells import row_link, time_until
from core.admin.labels import format_age, label
from federations.admin.labels import counter_labels
from federations.admin.plan_page import PLAN_COLORS, plan_state
from federations.models import Federation, PlanStatus, StoredPlan

MAX_PLANS = 10


def open_plans_table(federation: Federation) -> dict[str, list[Any]]:
    """Return the newest open plans of `federation` as the input of unfold's table component."""
    rows = [
        [
            row_link(plan, format_age(plan.created_at)),
            label(plan_state(plan), PLAN_COLORS),
            ", ".join(counted["text"] for counted in counter_labels(plan.summary, nothing="no changes")),
            plan.created_by_name or "the schedule",
            time_until(plan.expires_at),
        ]
        for plan in _open_plans(federation)[:MAX_PLANS]
    ]
    return {"headers": ["Made", "State", "Changes", "By", "Expires"], "rows": rows}


def open_held_plan(federation: Federation) -> StoredPlan | None:
    """Return the newest open plan of `federation` that a guard holds."""
    return _open_plans(federation).exclude(held_message="").first()


def _open_plans(federation: Federation) -> QuerySet[StoredPlan]:
    plans = StoredPlan.objects.filter(federation=federation, status=PlanStatus.OPEN, expires_at__gt=timezone.now())
    return plans.defer("findings", "basis", "warnings")
