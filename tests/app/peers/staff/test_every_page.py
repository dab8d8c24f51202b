from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.store.unit_of_work import REGISTRY
from peers.models import (
    Dispatch,
    Intent,
    Peer,
)
from peers.services.trust.proposals import record_proposal
from tests.app.peers.staff.pages import (
    EVIL,
    EVIL_LINK,
    IMPORT,
    MODELS,
    fill,
    hostile_rows,
    queries_of,
    text_of,
    url,
)
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db


def test_staff_without_permissions_see_no_page(staff: Callable[..., Client], proposed: Peer) -> None:
    client = staff()

    for model in MODELS:
        assert client.get(reverse(f"admin:peers_{model}_changelist")).status_code == 403
    assert client.get(reverse("admin:peers_peer_export_as_csv")).status_code == 403


def test_html_and_javascript_in_any_text_are_inert_on_every_page(admin: Client) -> None:
    rows = hostile_rows()
    pages = [url(row) for row in rows] + [reverse(f"admin:peers_{model}_changelist") for model in MODELS]
    intent = next(row for row in rows if isinstance(row, Intent))
    pages += [url(intent, "dispatch_on"), url(rows[0], "issue_token"), reverse("admin:index")]

    seen = ""
    for path in pages:
        page = text_of(admin, path)
        assert EVIL not in page, path
        for quote in ('"', "'"):
            assert f"href={quote}javascript:" not in page.lower(), path
            assert f"src={quote}javascript:" not in page.lower(), path
        seen += page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen


def test_a_refusal_that_repeats_hostile_text_is_inert(admin: Client) -> None:
    response = admin.post(IMPORT, {"text": f"server_url,did\n{EVIL},{EVIL_LINK}\n"})

    assert EVIL not in response.content.decode()


def test_rows_that_the_hub_writes_are_read_only_for_a_superuser(admin: Client) -> None:
    for row in hostile_rows()[1:-1]:
        assert admin.post(url(row), {"text": "changed", "title": "changed"}).status_code == 403
        assert admin.post(url(row, "delete")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(
    admin: Client, make_agent: MakeAgent, model: str
) -> None:
    path = reverse(f"admin:peers_{model}_changelist")
    fill(make_agent, 1)
    few = queries_of(admin, path)
    for number in range(2, 7):
        fill(make_agent, number)

    assert queries_of(admin, path) == few
    # MongoDB reads the ids of a nested query first, each by a query.
    assert few <= (12 if connections[REGISTRY].vendor != "mongodb" else 19)


def test_the_dashboard_counts_and_links_the_rows_that_wait_for_staff(
    admin: Client, staff: Callable[..., Client]
) -> None:
    assert "Nothing waits for you" in text_of(admin, reverse("admin:index"))
    hostile_rows()
    record_proposal("https://stranger.example.org", "", "", address="192.0.2.1", now=timezone.now())
    Peer.objects.filter(state="approved").update(review_by=timezone.localdate())

    cards = admin.get(reverse("admin:index")).context["attention"]

    assert [(card.number, card.title) for card in cards] == [
        (1, "approved peer without a trusted key"),
        (1, "proposed peer"),
        (1, "review due"),
        (1, "dispatch given up"),
    ]
    for card in cards:
        assert len(admin.get(card.href).context["cl"].result_list) == 1
    reader = staff("view_dispatch")
    assert [card.title for card in reader.get(reverse("admin:index")).context["attention"]] == ["dispatch given up"]


def test_no_page_has_an_id_as_its_title(admin: Client) -> None:
    rows = hostile_rows()
    Intent.objects.update(title="Reconcile the bills")
    Dispatch.objects.update(intent_title="Reconcile the bills")

    for row in rows:
        title = text_of(admin, url(row)).partition("<title>")[2].partition("</title>")[0]
        assert str(row.pk) not in title, row


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_list_explains_itself(admin: Client, model: str) -> None:
    page = text_of(admin, reverse(f"admin:peers_{model}_changelist"))

    assert "There is nothing here yet" in page
    assert "<title>" in page
    assert "Select " not in page.partition("<title>")[2].partition("</title>")[0]


def test_a_forbidden_page_names_the_administrator(staff: Callable[..., Client]) -> None:
    response = staff().get(reverse("admin:peers_peer_changelist"))

    assert response.status_code == 403
    assert "Ask an administrator" in response.content.decode()
