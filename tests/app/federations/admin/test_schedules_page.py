"""The page Schedules: rows, tabs and search, and who pauses and resumes from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from federations.models import AccessLevel, Federation
from federations.schedules.rule import Schedule
from federations.services.access import grant
from federations.services.schedule import set_schedule
from tests.app.federations.admin.cloud import federation

pytestmark = pytest.mark.django_db

PAGE = reverse("admin-schedules")


def test_the_list_has_each_visible_federation_with_its_rule_and_pauses_by_those_who_edit(
    staff: Callable[..., Client],
) -> None:
    edited, seen, hidden = federation("Ledger"), federation("Refunds"), federation("Secret")
    set_schedule(edited, Schedule(6 * 3600))
    set_schedule(seen, Schedule(crontab="0 2 * * *", time_zone="Europe/Berlin"))
    client = staff()
    ines = User.objects.get(username="ines")
    grant(edited, level=AccessLevel.EDIT, user=ines)
    grant(seen, level=AccessLevel.VIEW, user=ines)

    answer = client.get(PAGE)
    rows = {row.federation.display_name: (row.rule, row.switch, row.may_change) for row in answer.context["rows"]}
    assert rows == {
        "Ledger": ("Every 6 hours", "pause", True),
        "Refunds": ("Every day at 02:00 Europe/Berlin", "", False),
    }
    assert "Secret" not in answer.content.decode()

    def switch(found: Federation, do: str) -> int:
        return client.post(f"{PAGE}?tab=on", {"federation": found.pk, "do": do}).status_code

    assert [switch(found, "pause") for found in (edited, seen, hidden)] == [302, 403, 404]
    edited.refresh_from_db()
    assert (edited.is_sync_paused, edited.next_sync_at) == (True, None)
    tabs = {tab["title"]: tab["count"] for tab in client.get(PAGE).context["tabs"]}
    assert tabs == {"All": 2, "On": 1, "Paused": 1, "Last sync failed": 0, "Disabled": 0, "Only on request": 0}
    for query, names in (("tab=paused", ["Ledger"]), ("q=refu", ["Refunds"]), ("tab=on&q=ledger", []), ("p=9", None)):
        shown = [row.federation.display_name for row in client.get(f"{PAGE}?{query}").context["rows"]]
        assert shown == (["Ledger", "Refunds"] if names is None else names)
    assert switch(edited, "resume") == 302
    edited.refresh_from_db()
    assert edited.next_sync_at is not None
