from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from peers.admin.labels import dispatch_status
from peers.models import (
    Dispatch,
    Intent,
    JournalEntry,
    OutboundCallback,
    Peer,
)
from tests.app.peers.staff.conftest import URL
from tests.app.peers.staff.pages import (
    CONFIRMED,
    hostile_rows,
    text_of,
    url,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", ["[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_a_state_that_is_not_an_object_is_refused(admin: Client, state: str) -> None:
    response = admin.post(reverse("admin:peers_intent_add"), {"title": "x", "state": state})

    assert "Write a JSON object" in response.content.decode()
    assert Intent.objects.count() == 0


def test_a_given_up_row_is_tried_again_from_its_page_and_from_the_list(admin: Client) -> None:
    hostile_rows()
    dispatch = Dispatch.objects.get()

    admin.post(url(dispatch, "retry"), CONFIRMED)
    dispatch.refresh_from_db()
    assert (dispatch.dead_at, dispatch.attempts) == (None, 0)
    assert dispatch.due_at is not None

    OutboundCallback.objects.update(dead_at=timezone.now())
    owed = OutboundCallback.objects.get()
    admin.post(
        reverse("admin:peers_outboundcallback_changelist"), {"action": "retry_selected", "_selected_action": [owed.pk]}
    )
    owed.refresh_from_db()
    assert owed.dead_at is None


def test_a_dispatch_shows_its_problem_and_the_next_step(admin: Client, approved: Peer) -> None:
    sent = Dispatch.objects.create(
        id="d-1",
        intent_title="Reconcile",
        peer=approved,
        target_server=URL,
        envelope="{}",
        last_error="Connection refused",
    )
    for fields, expected in (
        ({"dead_at": timezone.now(), "attempts": 12}, "The hub gave up after 12 attempts."),
        ({"dead_at": None, "due_at": timezone.now(), "attempts": 3}, "Attempt 3 failed."),
        ({"due_at": None, "reason": "the peer is suspended"}, "It waits."),
        ({"status": "rejected", "reason": "No such agent"}, "The peer refused it: No such agent."),
    ):
        Dispatch.objects.filter(pk=sent.pk).update(**fields)
        assert expected in text_of(admin, url(sent))


@pytest.mark.parametrize(
    ("work", "found"), [("dead", {"d-1"}), ("due", {"d-2"}), ("rest", {"d-3"}), ("", {"d-1", "d-2", "d-3"})]
)
def test_dispatches_are_filtered_by_the_state_of_their_work(
    admin: Client, approved: Peer, work: str, found: set[str]
) -> None:
    now = timezone.now()
    for number, fields in enumerate(({"dead_at": now}, {"due_at": now}, {}), 1):
        Dispatch.objects.create(id=f"d-{number}", intent_title="x", target_server=URL, envelope="{}", **fields)

    rows = admin.get(f"{reverse('admin:peers_dispatch_changelist')}?work={work}").context["cl"].result_list

    assert {row.pk for row in rows} == found


def test_a_journal_line_links_to_its_peer_and_its_dispatch(admin: Client, approved: Peer) -> None:
    sent = Dispatch.objects.create(id="d-1", intent_title="Reconcile", target_server=URL, envelope="{}")
    line = JournalEntry.objects.create(kind="dispatch", text="Sent", peer_url=URL, dispatch_id="d-1")
    lost = JournalEntry.objects.create(
        kind="dispatch", text="Sent", peer_url="https://lost.example.org", dispatch_id="x"
    )

    page = text_of(admin, url(line))
    assert f'href="{url(approved)}"' in page
    assert f'href="{url(sent)}"' in page
    assert "https://lost.example.org" in text_of(admin, url(lost))


def test_a_dispatch_stands_behind_one_tab_and_behind_refused_if_its_message_was(admin: Client, approved: Peer) -> None:
    now = timezone.now()
    rows: list[dict[str, Any]] = [
        {"due_at": now}, {}, {"dead_at": now}, {"dead_at": now, "status": "failed"},
        {"dead_at": now, "put_away_at": now, "status": "failed"}, {"status": "failed"}, {"status": "rejected"},
        {"status": "accepted"}, {"status": "delivered"}, {"status": "completed"},
        {"status": "failed", "reason": "Refused: not ours"},
    ]  # fmt: skip
    for number, fields in enumerate(rows):
        Dispatch.objects.create(id=f"d-{number}", intent_title="x", target_server=URL, envelope="{}", **fields)
    page = admin.get(reverse("admin:peers_dispatch_changelist"))
    whole, *tabs = page.context["cl"].shown_tabs
    # The message that the peer refused for good is given up too.
    assert whole.count == len(rows) == sum(tab.count for tab in tabs) - 1
    assert {tab.title: tab.count for tab in tabs if tab.count > 1} == {"Given up": 2, "Refused": 3}
    for tab in tabs:
        for row in admin.get(f"{reverse('admin:peers_dispatch_changelist')}{tab.url}").context["cl"].result_list:
            is_both = (tab.title, dispatch_status(row), row.status) == ("Refused", "Given up", "failed")
            assert dispatch_status(row) == tab.title or is_both
