"""Chips, dates, saved views, columns and the CSV file of a list, and whose they are."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.admin import list_export
from core.lists.choices import MAX_VIEWS
from core.lists.models import HiddenColumns, SavedView
from federations.models import AccessLevel
from federations.services.access import grant
from peers.models import Intent
from tests.conftest import MakeFederation

pytestmark = pytest.mark.django_db

LIST = reverse("admin:peers_intent_changelist")
COLUMNS = reverse("admin:peers_intent_columns")
VIEWS = reverse("admin:peers_intent_views")
FILE = reverse("admin:peers_intent_export_changelist")
FEDERATIONS = reverse("admin:federations_federation_changelist")
TOKYO = "Asia/Tokyo"


@pytest.fixture
def ada() -> Client:
    return signed_in("ada", "view_intent")


def signed_in(name: str, *codenames: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def intent(title: str, *, days_ago: float = 0, **fields: Any) -> Intent:
    return Intent.objects.create(title=title, created_at=timezone.now() - timedelta(days=days_ago), **fields)


def titles(client: Client, query: str) -> list[str]:
    return sorted(row.title for row in client.get(f"{LIST}{query}").context["cl"].result_list)


def said(client: Client, url: str, form: dict[str, str]) -> str:
    response = client.post(url, form)
    return " ".join(map(str, get_messages(response.wsgi_request)))


def test_each_chip_removes_its_own_filter_and_no_other(ada: Client) -> None:
    intent("One", status="failed")
    query = "?tab=failed&q=One&status__exact=failed&is_received__exact=0&when=7d&o=1&p=1"
    chips = ada.get(f"{LIST}{query}").context["cl"].chips
    assert [(chip.title, chip.value) for chip in chips] == [
        ("Search", "One"), ("Made", "7 days"), ("Status", "Failed"), ("Is received", "No"),
    ]  # fmt: skip
    for chip, name in zip(chips, ("q", "when", "status__exact", "is_received__exact"), strict=True):
        left = ada.get(f"{LIST}{chip.url}")
        assert set(left.wsgi_request.GET) == {"tab", "q", "status__exact", "is_received__exact", "when", "o"} - {name}
    cleared = ada.get(f"{LIST}{ada.get(f'{LIST}{query}').context['cl'].clear_url}")
    assert dict(cleared.wsgi_request.GET.items()) == {"tab": "failed", "o": "1"}


def test_a_look_up_that_no_filter_has_is_a_chip_too_and_one_value_of_two_goes(ada: Client) -> None:
    (chip,) = ada.get(f"{LIST}?title__startswith=On").context["cl"].chips
    assert (chip.title, chip.value, chip.url) == ("Title startswith", "On", "?")
    operator = Client()
    operator.force_login(User.objects.create_superuser("operator"))
    tags = operator.get(f"{FEDERATIONS}?tag=a&tag=b").context["cl"].chips
    assert [(chip.value, chip.url) for chip in tags] == [("a", "?tag=b"), ("b", "?tag=a")]


def test_dates_are_days_and_minutes_of_the_person(ada: Client) -> None:
    intent("now")
    intent("six days", days_ago=5.9)
    intent("old", days_ago=45)
    assert titles(ada, "?when=today") == ["now"]
    assert titles(ada, "?when=7d") == ["now", "six days"]
    Intent.objects.filter(title="old").update(created_at=datetime(2026, 5, 1, 23, 30, tzinfo=UTC))
    assert titles(ada, "?since=2026-05-01&until=2026-05-01") == ["old"]
    assert titles(ada, "?since=2026-05-01T23:30&until=2026-05-01T23:30") == ["old"]
    ada.cookies["fedhub_timezone"] = "Asia%2FTokyo"
    assert titles(ada, "?since=2026-05-02T08:30&until=2026-05-02T08:30") == ["old"]
    page = ada.get(f"{LIST}?until=2026-05-03").content.decode()
    assert 'title="2026-05-02 08:30:00 JST"' in page
    assert "In your time zone: Asia/Tokyo" in page


@pytest.mark.parametrize("zone", ["", "../etc/passwd", "Mars/Olympus", "x" * 4000, "UTC\n"])
def test_an_unknown_time_zone_leaves_the_time_of_the_hub(ada: Client, zone: str) -> None:
    ada.cookies["fedhub_timezone"] = zone
    assert "In your time zone: UTC." in ada.get(LIST).content.decode()
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("query", ["tab=x", "when=x", "since=x", "since=9999-12-31T99:00", "until=9999-12-31", "foo=1"])
def test_an_address_that_no_list_has_leads_to_the_list_and_says_so(ada: Client, query: str) -> None:
    response = ada.get(f"{LIST}?{query}")
    assert response.headers["Location"] == f"{LIST}?e=1"
    assert "The hub cannot read the filters" in ada.get(response.headers["Location"]).content.decode()


def test_a_view_is_saved_opened_renamed_and_deleted_by_its_owner_alone(ada: Client) -> None:
    intent("One", status="failed")
    bob = signed_in("bob", "view_intent", "view_dispatch")
    assert "The view Failed ones is saved" in said(ada, VIEWS, {"name": " Failed  ones ", "query": "tab=failed&p=2"})
    view = SavedView.objects.get()
    opened = f"{VIEWS}{view.pk}/"
    assert view.query == "tab=failed"
    assert ada.get(opened).headers["Location"] == f"{LIST}?tab=failed"
    assert "Failed ones" in ada.get(LIST).content.decode()

    assert "Failed ones" not in bob.get(LIST).content.decode()
    assert bob.get(opened).status_code == bob.post(opened, {"delete": ""}).status_code == 404
    assert ada.get(reverse("admin:peers_dispatch_view", args=[view.pk])).status_code == 403

    assert "renamed to Broken" in said(ada, opened, {"name": "Broken"})
    said(ada, VIEWS, {"name": "Other", "query": ""})
    assert "a view with the name Other already" in said(ada, opened, {"name": "Other"})
    assert "is deleted" in said(ada, opened, {"delete": ""})
    assert [each.name for each in SavedView.objects.all()] == ["Other"]


def test_a_view_is_checked_when_it_is_saved_and_again_when_it_is_opened(ada: Client) -> None:
    assert "Give the view a name" in said(ada, VIEWS, {"name": " ", "query": ""})
    assert "at most 60" in said(ada, VIEWS, {"name": "x" * 61, "query": ""})
    assert "longer than 2,000" in said(ada, VIEWS, {"name": "x", "query": f"q={'x' * 2001}"})
    assert not SavedView.objects.exists()
    owner = User.objects.get(username="ada")
    gone = SavedView.objects.create(owner=owner, list_name="peers.intent", name="Gone", query="tab=gone")
    page = ada.get(f"{VIEWS}{gone.pk}/", follow=True)
    assert page.redirect_chain[-1][0] == f"{LIST}?e=1"
    assert "The hub cannot read the filters" in page.content.decode()


def test_a_person_has_a_bounded_number_of_views_and_may_replace_one(ada: Client) -> None:
    for number in range(MAX_VIEWS):
        said(ada, VIEWS, {"name": f"View {number}", "query": ""})
    assert "Delete one to save another" in said(ada, VIEWS, {"name": "One more", "query": ""})
    assert "is saved" in said(ada, VIEWS, {"name": "View 3", "query": "tab=failed"})
    assert SavedView.objects.count() == MAX_VIEWS


def test_columns_are_hidden_per_person_and_the_first_one_stays(ada: Client) -> None:
    intent("One")
    ada.post(COLUMNS, {"column": ["status_label", "made"], "query": "tab=active"})
    page = ada.get(f"{LIST}?o=2").content.decode()
    assert "field-title_column" in page
    assert "field-made" in page
    assert "field-origin" not in page
    assert "field-made_by" not in page
    # A column keeps its number in the order's address.
    assert ada.get(f"{LIST}?o=5").context["cl"].get_ordering_field_columns() == {5: "asc"}
    assert "field-origin" in signed_in("bob", "view_intent").get(LIST).content.decode()

    ada.post(COLUMNS, {"column": [], "query": ""})
    assert "field-title_column" in ada.get(LIST).content.decode()
    response = ada.post(COLUMNS, {"reset": "", "query": "tab=active"})
    assert response.headers["Location"] == f"{LIST}?tab=active"
    assert not HiddenColumns.objects.exists()


def test_the_file_has_the_filtered_rows_of_all_pages_and_needs_a_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        intent(f"=cmd{number}", status="failed", is_received=True)
    intent("well")
    viewer, clerk, outsider = (
        signed_in("viewer", "view_intent"),
        signed_in("clerk", "view_intent", "export_list"),
        signed_in("outsider", "export_list"),
    )
    assert viewer.get(FILE).status_code == outsider.get(FILE).status_code == 403
    assert FILE not in viewer.get(LIST).content.decode()
    assert f"{FILE}?tab=failed" in clerk.get(f"{LIST}?tab=failed").content.decode()

    clerk.cookies["fedhub_timezone"] = TOKYO
    response = clerk.get(f"{FILE}?tab=failed")
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "intents-" in response.headers["Content-Disposition"]
    assert len(rows) == 60
    assert {row["Title"][:5] for row in rows} == {"'=cmd"}
    assert rows[0]["Made"].endswith("+09:00")
    assert clerk.get(f"{FILE}?tab=x").headers["Location"] == f"{LIST}?e=1"
    assert clerk.get(f"{FILE}?id__regex=(").headers["Location"] == f"{LIST}?e=1"

    monkeypatch.setattr(list_export, "MAX_ROWS", 50)
    refused = clerk.get(f"{FILE}?tab=failed", follow=True)
    assert refused.redirect_chain[-1][0] == f"{LIST}?tab=failed"
    assert "The list has 60 intents, and a file has at most 50 rows" in refused.content.decode()


def test_counts_files_and_choices_have_the_federations_that_a_person_may_view(make_federation: MakeFederation) -> None:
    seen = make_federation("Seen")
    make_federation("Hidden")
    client = signed_in("ines", "export_list")
    grant(seen, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))

    counts = [(tab.title, tab.count) for tab in client.get(FEDERATIONS).context["cl"].shown_tabs]
    assert counts[0] == ("All", 1)
    assert sum(number for _, number in counts[1:]) == 1
    text = b"".join(client.get(f"{FEDERATIONS}export.csv")).decode()
    assert "Seen" in text
    assert "Hidden" not in text


def test_a_page_after_the_last_one_is_the_last_one(ada: Client) -> None:
    for number in range(51):
        intent(str(number))
    assert len(titles(ada, "?p=2")) == 1
    assert len(titles(ada, "?p=9&tab=failed")) == 0
    assert len(titles(ada, "?p=9")) == 1


@pytest.mark.parametrize("page", [COLUMNS, VIEWS, f"{VIEWS}1/", FILE])
def test_who_may_not_view_a_list_keeps_and_takes_nothing(page: str) -> None:
    assert signed_in("nobody").post(page, {"name": "x"}).status_code in (403, 405)
    assert Client().post(page, {"name": "x"}).status_code == 302
    assert not SavedView.objects.exists()
