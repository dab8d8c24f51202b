"""The changes of stored plans and of jobs: their form, filters, pages and queries."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from core.store.compressed_json import pack
from federations.models import (
    Federation,
    McpServer,
    PlannedChange,
    StoredPlan,
)
from federations.services.stored_plans.end import prune_plans
from tests.api.contract import path_of, with_job
from tests.api.stored_plans import AFTER, BEFORE, apply, changes, make, path_of_plan, sync
from tests.conftest import Api, MakeFederation
from tests.findings import server
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

CHANGE_KEYS = ["action", "kind", "name", "runtimeId", "resourceId", "reason", "class", "fields", "items"]
ITEM_KEYS = ["kind", "name", "action", "class", "rules", "fields"]


def test_a_change_has_the_contracts_form(api: Api, reader: User, owner: User, federation: Federation) -> None:
    sync(federation, owner, *BEFORE)
    plan = make(federation, owner, *AFTER)
    body = api(reader).get(path_of_plan(plan) + "/changes").json()
    assert list(body) == ["changes", "pagination"]
    assert body["pagination"] == {"total": 5, "page": 1, "perPage": 20, "totalPages": 1}
    assert [list(change) for change in body["changes"]] == [CHANGE_KEYS] * 5
    gone, broken, changed, _, new = body["changes"]
    assert (gone["action"], gone["kind"], gone["name"], gone["class"]) == ("delete", "mcp_server", "gone", "breaking")
    assert gone["resourceId"] == McpServer.objects.get(server_name="gone").id
    assert (broken["action"], broken["class"], broken["fields"], broken["items"]) == ("error", None, [], [])
    assert (new["action"], new["resourceId"], new["reason"]) == ("create", None, "new server")
    assert (changed["runtimeId"], changed["reason"]) == ("changed-0123456789", "runtimeVersion: 1 -> 2")
    (item,) = changed["items"]
    assert list(item) == ITEM_KEYS
    assert (item["kind"], item["name"], item["action"], item["class"]) == ("tool", "book", "create", "compatible")
    assert list(item["fields"][0]) == ["field", "before", "after"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["gone", "broken", "changed", "helper", "new"]),
        ({"action": "update"}, ["changed", "helper"]),
        ({"action": "update", "kind": "a2a_agent"}, ["helper"]),
        ({"kind": "mcp_server", "class": "compatible"}, ["changed", "new"]),
        ({"class": "breaking"}, ["gone"]),
        ({"class": ""}, ["broken"]),
        ({"query": "NEW"}, ["new"]),
        ({"query": "longer disc"}, ["gone"]),
        ({"query": "%"}, []),
        ({"action": "unchanged"}, []),
        ({"action": "explode"}, []),
        ({"class": "Breaking"}, []),
        ({"kind": "tool"}, []),
        ({"per_page": "2", "page": "2"}, ["changed", "helper"]),
        ({"page": "9"}, []),
    ],
)
def test_changes_are_filtered(
    api: Api, owner: User, federation: Federation, query: dict[str, str], found: list[str]
) -> None:
    sync(federation, owner, *BEFORE)
    plan = make(federation, owner, *AFTER)
    assert [name for _, name in changes(api, owner, path_of_plan(plan), **query)] == found
    if query.get("class") != "compatible":
        return
    job = apply(api, owner, plan, *AFTER).json()
    of_job = f"{path_of(federation)}/jobs/{job['id']}"
    assert [name for _, name in changes(api, owner, of_job, **query)] == found


@pytest.mark.parametrize("query", ["page=0", "per_page=101", "action=%00", "query=a&query=b", "class=" + "x" * 501])
def test_a_bad_parameter_is_refused(api: Api, owner: User, federation: Federation, query: str) -> None:
    plan = make(federation, owner, *AFTER)
    assert api(owner).get(f"{path_of_plan(plan)}/changes?{query}").status_code == 400


def test_changes_of_one_federation_are_not_shown_in_another(
    api: Api, owner: User, make_federation: MakeFederation
) -> None:
    one, two = make_federation("one"), make_federation("two")
    plan, _ = make(one, owner, server("of-one")), make(two, owner, server("of-two"))
    assert changes(api, owner, path_of_plan(plan)) == [("create", "of-one")]


def test_a_page_of_changes_reads_its_rows_alone(api: Api, owner: User, federation: Federation) -> None:
    small = make(federation, owner, server("one"))
    large = make(federation, owner, *(server(f"server{number:03}") for number in range(500)))
    client = api(owner)

    def ask(plan: StoredPlan) -> tuple[Any, list[str]]:
        with counted_queries() as queries:
            response = client.get(path_of_plan(plan) + "/changes")
        return response.json(), queries

    few, of_few = ask(small)
    many, of_many = ask(large)
    assert (len(few["changes"]), len(many["changes"]), many["pagination"]["total"]) == (1, 20, 500)
    assert len(of_many) == len(of_few), of_many
    assert not any("content" in query.split("FROM")[0] and "plannedchange" in query for query in of_many)
    assert len(json.dumps(many)) < 200_000


@pytest.mark.parametrize("path", ["plans", "jobs"])
def test_a_list_costs_the_same_queries_for_1_and_10(api: Api, owner: User, federation: Federation, path: str) -> None:
    add: Callable[[], object] = (
        (lambda: make(federation, owner, *AFTER)) if path == "plans" else (lambda: with_job(federation))
    )
    client, address = api(owner), f"{path_of(federation)}/{path}"
    add()
    with counted_queries() as one:
        assert len(client.get(address).json()[path]) == 1
    for _ in range(9):
        add()
    with counted_queries() as many:
        assert len(client.get(address).json()[path]) == 10
    assert len(many) == len(one), many


def test_documents_come_out_as_they_went_in(api: Api, owner: User, federation: Federation) -> None:
    plan = make(federation, owner, server("one"))
    value: Any = {"b": 2**64, "a": [1e21, -0.0]}
    fields: Any = [{"field": "inputSchema", "before": None, "after": value}]
    PlannedChange.objects.filter(plan=plan).update(detail=pack({"fields": fields, "rules": [], "items": []}))
    response = api(owner).get(path_of_plan(plan) + "/changes")
    shown = response.json()["changes"][0]["fields"]
    assert json.dumps(shown) == json.dumps(fields)


def test_an_expired_plan_lists_no_change_once_the_sweep_took_them(
    api: Api, owner: User, federation: Federation
) -> None:
    plan = make(federation, owner, *AFTER)
    StoredPlan.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    prune_plans()
    assert changes(api, owner, path_of_plan(plan)) == []
    assert api(owner).get(path_of_plan(plan)).json()["status"] == "expired"
