from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.errors import ConflictError, InvalidRequestError
from peers.models import Dispatch, HandlerEvent, JournalEntry, OutboundCallback, Peer, ReceivedDispatch
from peers.services.outbox.dead_letters import bring_back, put_away, put_away_each, retry_dead
from tests.app.peers.staff.conftest import OPERATOR, URL
from tests.app.peers.staff.pages import CONFIRMED, text_of, url

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:peers_dispatch_changelist")


def dead(number: int = 1, **fields: Any) -> Dispatch:
    fields = {"dead_at": timezone.now(), "intent_title": "Reconcile", **fields}
    return Dispatch.objects.create(id=f"d-{number}", target_server=URL, envelope="{}", **fields)


def rows_of_each_kind(peer: Peer) -> list[Any]:
    now = timezone.now()
    received = ReceivedDispatch.objects.create(
        peer=peer, dispatch_id="r-1", body_digest="0", accepted=True, envelope={}, agent_id="clerk"
    )
    owed = OutboundCallback.objects.create(
        received=received, peer=peer, event_type="failed", idempotency_key="k", body="{}", dead_at=now
    )
    event = HandlerEvent.objects.create(
        handler="a.B", kind="federation_received", source_id="1", dispatch_id="r-1", dead_at=now
    )
    return [dead(), owed, event]


def listed(client: Client, work: str) -> set[str]:
    return {row.pk for row in client.get(f"{LIST}?work={work}").context["cl"].result_list}


def test_each_kind_of_dead_letter_is_put_away_brought_back_and_tried_again(approved: Peer) -> None:
    for row in rows_of_each_kind(approved):
        put_away(row, by=OPERATOR, reason="The peer is gone")
        row.refresh_from_db()
        assert row.put_away_at is not None and row.dead_at is not None
        assert (row.put_away_reason, row.put_away_by_name) == ("The peer is gone", OPERATOR.name)
        with pytest.raises(ConflictError):
            put_away(row, by=OPERATOR, reason="again")
        bring_back(row, by=OPERATOR)
        row.refresh_from_db()
        assert (row.put_away_at, row.put_away_reason) == (None, "")
        with pytest.raises(ConflictError):
            bring_back(row, by=OPERATOR)
        put_away(row, by=OPERATOR, reason="The peer is gone")
        retry_dead(row, by=OPERATOR)
        row.refresh_from_db()
        assert (row.dead_at, row.put_away_at, row.put_away_by_name) == (None, None, "")
    assert JournalEntry.objects.filter(text="Put away: The peer is gone", actor_name=OPERATOR.name).count() == 6


def test_only_dead_rows_are_put_away_and_only_with_a_reason() -> None:
    alive = dead(dead_at=None, due_at=timezone.now())
    with pytest.raises(ConflictError):
        put_away(alive, by=OPERATOR, reason="Too slow")
    with pytest.raises(InvalidRequestError):
        put_away_each(Dispatch.objects.all(), by=OPERATOR, reason="  ")
    assert put_away_each(Dispatch.objects.all(), by=OPERATOR, reason="Too slow") == 0


def test_a_page_puts_a_row_away_and_brings_it_back(admin: Client) -> None:
    row = dead()

    text = text_of(admin, url(row))
    assert "put-away" in text and "Bring back" not in text
    admin.post(url(row, "put_away"), {**CONFIRMED, "reason": "Asked for by mistake"})
    text = text_of(admin, url(row))
    assert "Staff put it away." in text and "Asked for by mistake" in text and "Bring back" in text
    assert (listed(admin, "dead"), listed(admin, "away")) == (set(), {row.pk})
    admin.post(url(row, "bring_back"), CONFIRMED)
    assert (listed(admin, "dead"), listed(admin, "away")) == ({row.pk}, set())


def test_all_rows_of_a_list_are_put_away_for_one_reason(admin: Client) -> None:
    for number in range(60):
        dead(number)
    alive = dead(60, dead_at=None)
    path = f"{LIST}?work=dead"
    picked = {"action": "put_away_selected", "select_across": "1", "index": "0", "_selected_action": ["d-1"]}

    asked = admin.post(path, picked).content.decode()
    assert "<strong>60</strong>" in asked and 'name="reason"' in asked
    asked = admin.post(path, {**picked, "reason": " "}).content.decode()
    assert "This field is required" in asked and Dispatch.objects.filter(put_away_at__isnull=False).count() == 0
    del picked["index"]
    shown = admin.post(path, {**picked, "reason": "Old"}, follow=True).content.decode()

    assert "60 put away" in shown
    assert listed(admin, "dead") == set()
    assert Dispatch.objects.filter(put_away_reason="Old").count() == 60
    alive.refresh_from_db()
    assert alive.put_away_at is None


def test_a_reader_cannot_put_a_row_away(staff: Callable[..., Client]) -> None:
    row, client = dead(), staff("view_dispatch")

    assert "put-away" not in text_of(client, url(row))
    assert client.post(url(row, "put_away"), {**CONFIRMED, "reason": "x"}).status_code == 403
    client.post(LIST, {"action": "put_away_selected", "_selected_action": [row.pk], "reason": "x"})
    row.refresh_from_db()
    assert row.put_away_at is None
