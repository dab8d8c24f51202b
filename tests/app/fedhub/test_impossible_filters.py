"""Filters, searches and addresses in the admin that a database cannot do; each test runs on every store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.urls import reverse

from federations.models import Federation
from peers.models import Intent

pytestmark = pytest.mark.django_db(transaction=True)

FILTERS = [
    ("contains", "x"), ("contained_by", "x"), ("has_key", "x"), ("has_keys", "x"), ("regex", "("), ("iregex", "*"),
    ("exact", "9" * 400), ("exact", "x"), ("gt", "1e400"), ("lt", "-" + "9" * 30), ("in", "1,2,("), ("range", "x"),
    ("isnull", "x"), ("year", "9" * 30), ("date", "x"), ("search", "x"), ("trigram_similar", "x"), ("foo", "x"),
    ("foo__bar", "x"), ("0", "("),
]  # fmt: skip
VALUES = ["(", "*", "9" * 400, "{", "\U0001f680", "x" * 20_000]
LISTS = sorted(admin.site._registry, key=lambda model: model._meta.label)


LISTS_OF_A_KIND = 4
"""The kinds of fields are few, and the lists answer them by the same code: each kind is tried in so many lists."""


def fields_to_filter() -> dict[type[models.Model], list[str]]:
    """Return for each list the names of fields: one of each kind that has not been chosen in enough lists before."""
    tried: Counter[type] = Counter()
    chosen: dict[type[models.Model], list[str]] = {}
    for model in LISTS:
        kinds = {type(field): field.name for field in model._meta.get_fields()}
        new = [kind for kind in kinds if tried[kind] < LISTS_OF_A_KIND]
        tried.update(new)
        chosen[model] = [kinds[kind] for kind in new] or ["pk"]
    return chosen


FIELDS = fields_to_filter()


def filters(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each filter."""
    for field in FIELDS[model]:
        for lookup, value in FILTERS:
            yield f"{field}__{lookup}", value


@pytest.fixture
def client() -> Client:
    """Sign in as a superuser, and get answers of 500 as responses."""
    found = Client(raise_request_exception=False)
    found.force_login(User.objects.create_superuser("operator"))
    return found


def list_of(model: type[models.Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)
def test_a_filter_that_the_database_cannot_do_leads_back_to_the_list(client: Client, model: type[models.Model]) -> None:
    page = list_of(model)
    wrong = []
    for name, value in filters(model):
        answer = client.get(page, {name: value})
        if answer.status_code not in (200, 302, 400) or (
            answer.status_code == 302 and answer["Location"] != f"{page}?e=1"
        ):
            wrong.append((name, value[:40], answer.status_code))
    assert not wrong, repr(wrong)
    assert client.get(f"{page}?e=1").status_code == 200


@pytest.mark.parametrize("model", [User, Federation, Intent], ids=lambda model: model._meta.label)
def test_odd_pages_orders_and_searches_are_no_errors(client: Client, model: type[models.Model]) -> None:
    page = list_of(model)
    for name in ("q", "p", "o", "all", "_to_field", "_changelist_filters"):
        for value in [*VALUES, "-1", "999.1", "%", "\\"]:
            answer = client.get(page, {name: value})
            assert answer.status_code < 500, (name, value[:40])


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)
def test_nul_in_addresses_filters_searches_and_forms_is_refused(client: Client, model: type[models.Model]) -> None:
    page = list_of(model)
    for path in (
        f"{page}?id__exact=%00", f"{page}?q=%00", f"{page}?pk=a%00b", f"{page}?%00=1", f"{page}?_to_field=%00",
        f"{page}%00/change/", f"{page}a%00b/delete/", f"{page}%00/history/", f"{page}%00/",
    ):  # fmt: skip
        assert client.get(path).status_code in (400, 404), path
    forms = [{"action": "delete_selected", "_selected_action": "\x00"}, {"\x00": "x"}, {"name": "a\x00"}]
    for form in forms:
        for path in (page, f"{page}add/"):
            assert client.post(path, form).status_code in (400, 403, 404), (path, form)


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)
def test_an_odd_id_in_an_address_is_no_error(client: Client, model: type[models.Model]) -> None:
    for key in ("9" * 400, "-1", "x", "(", "x" * 5000, "_5F", "\U0001f680"):
        for page in ("change", "delete", "history"):
            answer = client.get(f"{list_of(model)}{quote(key)}/{page}/")
            assert answer.status_code in (302, 400, 403, 404), (key[:8], page)


@pytest.mark.parametrize("term", ["%00", "(", "%", "9" * 400, "a%00b", "x" * 5000])
def test_odd_terms_of_an_autocomplete_are_no_errors(client: Client, term: str) -> None:
    page = "/admin/autocomplete/?app_label=oauth2_provider&model_name=application&field_name=user"
    for extra in ("", "&page=0", "&page=" + "9" * 400, "&page=x"):
        answer = client.get(f"{page}&term={term}{extra}")
        assert answer.status_code in ((400,) if "%00" in term else (200, 403, 404))
