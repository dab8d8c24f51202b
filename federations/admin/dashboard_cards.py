"""The dashboard's card about held plans, which wait for staff."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from federations.admin.permissions import plans_visible_to
from federations.models import PlanStatus


def plan_cards(request: HttpRequest) -> list[dict[str, Any]]:
    """Return number, title with the age of the oldest, link and icon of the held plans; nothing without one."""
    now = timezone.now()
    held = plans_visible_to(request.user).filter(status=PlanStatus.OPEN, expires_at__gt=now).exclude(held_message="")
    found = held.order_by().aggregate(number=Count("pk"), oldest=Min("created_at"))
    if not found["number"]:
        return []
    ending = "" if found["number"] == 1 else "s, the oldest"
    age = timesince(found["oldest"], now, depth=1)
    title = f"held plan{ending} {'just made' if age.startswith('0') else f'{age} old'}"
    href = f"{reverse('admin:federations_storedplan_changelist')}?status=open&held=yes"
    return [{"number": found["number"], "title": title, "href": href, "icon": "pan_tool"}]
