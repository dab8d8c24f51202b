"""The versions of a server and of an agent, and the comparison of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from federations.models import A2aAgent, McpServer, ResourceVersion
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)


def page(row: McpServer | A2aAgent, name: str = "change") -> str:
    return reverse(f"admin:federations_{row._meta.model_name}_{name}", args=[row.pk])


def test_any_two_versions_of_a_resource_are_compared(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    for version, tools in (("1", ("look_up",)), ("2", ("look_up", "book")), ("3", ("look_up", "book", "cancel"))):
        sync(found, cloud, server("ledger", version, tools), agent("triage", version))
    ledger = McpServer.objects.get()
    text = admin.get(page(ledger)).content.decode()
    assert "Versions" in text and text.count('name="old"') == 3
    newest, _, oldest = ResourceVersion.objects.filter(resource_id=ledger.pk)

    response = admin.get(page(ledger, "compare"), {"old": oldest.pk, "new": newest.pk})
    diff = response.context["diff"]
    assert {(item.name, item.action) for item in diff.items} == {("book", "create"), ("cancel", "create")}
    assert [(row.is_old, row.is_new) for row in response.context["versions"]] == [
        (False, True), (False, False), (True, False),
    ]  # fmt: skip
    backwards = admin.get(page(ledger, "compare"), {"old": newest.pk, "new": oldest.pk})
    assert {item.action for item in backwards.context["diff"].items} == {"delete"}
    same = admin.get(page(ledger, "compare"), {"old": newest.pk, "new": newest.pk})
    assert "The content is the same." in same.content.decode()
    assert admin.get(page(A2aAgent.objects.get(), "compare")).status_code == 200


def test_a_version_of_another_resource_is_not_shown(
    admin: Client, staff: Callable[..., Client], cloud: MemoryCloud
) -> None:
    sync(federation(), cloud, server("ledger"), server("refunds"))
    ledger, refunds = McpServer.objects.order_by("server_name")
    versions = {row.resource_id: row.pk for row in ResourceVersion.objects.all()}
    response = admin.get(page(ledger, "compare"), {"old": versions[ledger.pk], "new": versions[refunds.pk]})
    assert "diff" not in response.context
    assert staff().get(page(ledger, "compare")).status_code == 404
    assert "can be compared here" in admin.get(page(ledger)).content.decode()


def test_the_page_takes_as_many_queries_for_many_versions_as_for_few(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"))
    path = page(McpServer.objects.get())
    admin.get(path)
    with counted_queries() as few:
        admin.get(path)
    for number in range(2, 8):
        sync(found, cloud, server("ledger", str(number), tuple(f"tool{n}" for n in range(number))))
    with counted_queries() as many:
        admin.get(path)
    assert len(many) == len(few)
