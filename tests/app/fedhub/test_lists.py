"""Every list of the admin: its tabs, chips, dates, columns, views and CSV file; what a list has its page declares."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import time_machine
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import Model
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import get_application_model
from unfold.templatetags.unfold_list import items_for_result

from core.admin.list_page import ListPageMixin
from core.lists.rows import CHECKBOX
from core.store.unit_of_work import REGISTRY
from peers.models import Dispatch, DispatchReceipt
from tests.app.federations.admin.cloud import MemoryCloud, put_in_place
from tests.browser.rows import make_rows
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.DOTALL)
MAX_QUERIES = 15
# MongoDB has no nested queries: each is a query of its own there.
MAX_NESTED = 3


def list_of(model: type[Model], page: str = "changelist") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> MemoryCloud:
    return put_in_place(monkeypatch, settings, tmp_path)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_a_page_of_the_menu_is_called_as_the_menu_calls_it(operator: Client) -> None:
    groups = operator.get(reverse("admin:index")).context["sidebar_navigation"]
    links = {str(item["title"]): str(item["link"]) for group in groups for item in group["items"]}
    titles = {title: TITLE.findall(operator.get(link).content.decode())[0] for title, link in links.items()}
    assert {title: unescape(found).partition(" | ")[0] for title, found in titles.items()} == {
        title: title for title in links
    }
    page = operator.get(list_of(get_application_model())).content.decode()
    words = " ".join(re.sub("<[^>]+>", " ", page.partition("<body")[2]).split()).lower()
    assert " 0 programs " in words and " applications " not in words


def test_receipts_name_the_work_and_not_its_id_alone(cloud: MemoryCloud, operator: Client) -> None:
    make_rows(cloud)
    receipt = DispatchReceipt.objects.first()
    assert receipt is not None
    sent = Dispatch.objects.exclude(intent_title="").first()
    assert sent is not None
    DispatchReceipt.objects.filter(pk=receipt.pk).update(dispatch_id=sent.pk)
    assert sent.intent_title in operator.get(list_of(DispatchReceipt)).content.decode()
    heading = operator.get(reverse("admin:peers_dispatchreceipt_change", args=[receipt.pk])).content.decode()
    assert f"Receipt of “{sent.intent_title}”" in unescape(heading)


def test_each_list_has_tabs_with_true_counts_in_few_queries(cloud: MemoryCloud, operator: Client) -> None:
    make_rows(cloud)
    most = MAX_QUERIES + (MAX_NESTED if connections[REGISTRY].vendor == "mongodb" else 0)
    wrong: list[str] = []
    for model, page in admin.site._registry.items():
        path = list_of(model)
        assert isinstance(page, ListPageMixin), model
        with counted_queries() as queries:
            response = operator.get(path)
        if len(queries) > most:
            wrong.append(f"{path}: {len(queries)} queries")
        request, shown = response.wsgi_request, list(response.context["cl"].shown_tabs)
        for tab in shown:
            request.GET = QueryDict(tab.url.removeprefix("?"))
            behind = page.get_changelist_instance(request)
            rows = len(behind.queryset)
            if not tab.count == behind.result_count == rows:
                wrong.append(f"{path} {tab.title}: {tab.count} on the tab, {behind.result_count} said, {rows} rows")
        if shown and shown[0].count != page.get_queryset(request).count():
            wrong.append(f"{path}: not all rows are behind All")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("query", ["", "?o=1", "?_popup=1"])
def test_the_rows_of_each_list_are_those_that_unfold_draws(cloud: MemoryCloud, operator: Client, query: str) -> None:
    make_rows(cloud)
    drawn = 0
    for model in admin.site._registry:
        # Ages are the same in both.
        with time_machine.travel(timezone.now(), tick=False):
            response = operator.get(f"{list_of(model)}{query}")
            found, headers = response.context["cl"], response.context["result_headers"]
            expected = [list(items_for_result(found, row, None)) for row in found.result_list]
        if found.list_display[0] != CHECKBOX:
            # unfold calls the first column so even where it is none of boxes.
            for cells in expected:
                cells[0] = cells[0].replace("Select record", str(headers[0]["text"]), 1)
        assert list(response.context["results"]) == expected, model
        drawn += len(expected)
    assert drawn > len(admin.site._registry)
