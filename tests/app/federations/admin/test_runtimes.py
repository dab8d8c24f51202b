"""The pages of the inventory, and the warnings on the pages of resources, jobs and dry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from federations.models import A2aAgent, AccessLevel, Federation, McpServer, RuntimeObservation, SyncJob
from federations.services.access import grant
from federations.sync.resources import SyncWarning
from tests.app.federations.admin.cloud import ACCOUNT, MemoryCloud, agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:federations_runtimeobservation_changelist")


def warning(name: str = "lookup", **members: str) -> dict[str, str]:
    return {"kind": "tool", "name": name, "runtimeId": "x", "message": "it has no input schema", **members}


def observe(scope: Federation | str, name: str, **columns: Any) -> RuntimeObservation:
    values: dict[str, Any] = {
        "scope": getattr(scope, "pk", scope),
        "runtime_id": f"{name}-0123456789",
        "runtime_arn": f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}:runtime/{name}-0123456789",
        "name": name,
        "protocol": "MCP",
        "version": "1",
        "status": "READY",
        "last_updated_at": datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
    }
    return RuntimeObservation.objects.create(**(values | columns))


def page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def names(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return [row.name for row in response.context["cl"].result_list]


def text_of(client: Client, row: Any) -> str:
    response = client.get(page(row))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.fixture
def inventory(db: None, cloud: MemoryCloud) -> Federation:
    """Store runtimes of every state in one federation."""
    found = federation()
    now = timezone.now()
    observe(found, "fine")
    observe(found, "web", protocol="HTTP")
    observe(found, "partly", warnings=[warning(), warning("other")])
    observe(found, "incomplete", is_incomplete=True)
    observe(found, "forbidden", protocol="A2A", error="403 Forbidden", error_since=now - timedelta(days=3))
    observe(found, "dead", protocol="", status="CREATE_FAILED", failure_reason="no image <b>", last_updated_at=now)
    return found


def test_broken_runtimes_come_first_then_those_with_warnings(admin: Client, inventory: Federation) -> None:
    found = names(admin)
    assert set(found[:2]) == {"forbidden", "dead"}
    assert found[2:] == ["incomplete", "partly", "fine", "web"]


def test_the_list_shows_state_error_and_since_when(admin: Client, inventory: Federation) -> None:
    text = admin.get(LIST).content.decode()
    moment = RuntimeObservation.objects.get(name="forbidden").error_since
    assert moment is not None
    for expected in (
        "3\xa0days ago",
        f'title="{moment:%Y-%m-%d %H:%M:%S} UTC"',
        "403 Forbidden",
        "2 warnings",
        "no image",
    ):
        assert expected in text, expected
    assert "<b>" not in text.replace("<body", "")
    assert text.count("CREATE_FAILED") >= 1 and "AGUI" not in text
    assert "<title>Runtimes" in " ".join(text.split()).replace("<title> ", "<title>")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("has_error=1", {"forbidden", "dead"}),
        ("has_error=0", {"fine", "web", "partly", "incomplete"}),
        ("with_warnings=1", {"partly", "incomplete"}),
        ("with_warnings=0", {"fine", "web", "forbidden", "dead"}),
        ("protocol=HTTP", {"web"}),
        ("protocol=none", {"dead"}),
        ("status=CREATE_FAILED", {"dead"}),
        ("q=FORBIDDEN", {"forbidden"}),
        ("q=partly-0123", {"partly"}),
        ("q=image", {"dead"}),
        ("q=nothing", set()),
        ("federation=" + "0" * 24, set()),
    ],
)
def test_runtimes_are_searched_and_filtered(
    admin: Client, inventory: Federation, query: str, expected: set[str]
) -> None:
    assert set(names(admin, query)) == expected


def test_runtimes_are_filtered_by_federation(admin: Client, inventory: Federation) -> None:
    observe(federation("Other"), "elsewhere")
    assert len(names(admin, f"federation={inventory.pk}")) == 6
    assert len(names(admin)) == 7


def test_a_runtime_leads_to_its_federation_and_its_resource(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"), agent("triage"))
    text = admin.get(LIST).content.decode()
    for shown in (found, McpServer.objects.get(), A2aAgent.objects.get()):
        assert page(shown) in text
    for observation, resource in (("ledger", McpServer.objects.get()), ("triage", A2aAgent.objects.get())):
        row = RuntimeObservation.objects.get(name=observation)
        assert page(resource) in text_of(admin, row)
        assert page(row) in text_of(admin, resource)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("forbidden", ["The last sync could not read this runtime.", "403 Forbidden", "Next step:", "since 20"]),
        ("dead", ["CREATE_FAILED", "no image &lt;b&gt;", "in AWS"]),
        (
            "partly",
            ["2 warnings.", "Tool lookup", "it has no input schema", "Everything else of this runtime is stored."],
        ),
        ("incomplete", ["Incomplete", "A listing of this server was lost"]),
        ("web", ["not stored in the registry", "Nothing is to do"]),
        ("fine", ["not stored in the registry"]),
    ],
)
def test_a_runtimes_page_says_what_happened_and_what_to_do(
    admin: Client, inventory: Federation, name: str, expected: list[str]
) -> None:
    text = text_of(admin, RuntimeObservation.objects.get(name=name))
    for words in [*expected, page(inventory)]:
        assert words in text, words


def test_the_list_and_a_page_take_few_queries(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    sync(found, cloud, server("ledger"), agent("triage"))
    with counted_queries() as few:
        admin.get(LIST)
    for number in range(5):
        other = federation(f"More {number}")
        sync(other, cloud, *[server(f"s-{number}-{each}") for each in range(4)], agent(f"a-{number}"))
    with counted_queries() as many:
        admin.get(LIST)
    assert len(many) == len(few) <= 15, many
    with counted_queries() as single:
        admin.get(page(RuntimeObservation.objects.get(name="ledger")))
    assert len(single) <= 9, single


def test_staff_see_the_runtimes_of_the_federations_that_they_may_view(
    staff: Callable[..., Client], inventory: Federation
) -> None:
    other = observe(federation("Other"), "elsewhere")
    free = observe("unfederated:us-east-1", "free")
    outsider = staff(username="outsider")
    assert outsider.get(LIST).status_code == 403
    assert LIST not in outsider.get(reverse("admin:index")).content.decode()
    guest = staff()
    grant(inventory, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))
    assert len(names(guest)) == 6
    assert "Other" not in guest.get(LIST).content.decode()
    assert LIST in guest.get(reverse("admin:index")).content.decode()
    for hidden in (other, free):
        assert guest.get(page(hidden)).status_code == 302
    assert names(staff("view_runtimeobservation", username="watcher")) == ["free"]
    assert len(names(staff("view_federation", username="reader"))) == 7


# Warnings on other pages -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["server", "agent"])
def test_a_resources_page_shows_the_warnings_and_the_error_of_its_runtime(
    admin: Client, cloud: MemoryCloud, kind: str
) -> None:
    found = federation()
    sync(found, cloud, server("ledger"), agent("triage"))
    resource: Any = McpServer.objects.get() if kind == "server" else A2aAgent.objects.get()
    assert "warning" not in text_of(admin, resource)
    rows = RuntimeObservation.objects.filter(runtime_id=resource.runtime_id)
    rows.update(warnings=[warning("draft")], is_incomplete=True)
    text = text_of(admin, resource)
    for words in (
        "1 warning.",
        "Tool draft",
        "it has no input schema",
        "incomplete",
        "A listing of this server was lost",
    ):
        assert words in text, words
    rows.update(error="503 Service Unavailable", warnings=[], is_incomplete=False)
    text = text_of(admin, resource)
    assert "The last sync could not read this runtime." in text and "503 Service Unavailable" in text
    assert "incomplete" not in text


def test_a_servers_page_shows_its_templates_and_the_facts_of_aws(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, server("ledger"))
    found = McpServer.objects.get()
    found.resource_templates = [{"uriTemplate": "ledger://{account}", "name": "account", "description": "One account"}]
    found.protocol_configuration = {"serverProtocol": "MCP", "port": 8000, "path": "/tools"}
    found.authorizer_configuration = {"customJWTAuthorizer": {"allowedScopes": ["ledger:read", "ledger:write"]}}
    found.save()
    text = text_of(admin, found)
    for words in ("Resource templates", "ledger://{account}", "Port: 8000", "Path: /tools"):
        assert words in text, words
    assert "Allowed scopes: ledger:read, ledger:write" in text


def test_a_job_shows_its_warnings_with_links_to_their_runtimes(admin: Client, cloud: MemoryCloud) -> None:
    found = federation()
    job = sync(found, cloud, server("ledger"))
    row = RuntimeObservation.objects.get()
    lost = warning("draft", runtimeId=row.runtime_id)
    SyncJob.objects.update(warnings=[lost, warning("gone"), {**warning(""), "kind": "more", "message": "and 12 more"}])
    SyncJob.objects.update(warning_count=14)
    text = text_of(admin, job)
    for words in ("14 warnings.", "Tool draft", page(row), "Tool gone", "and 12 more", "They do not fail the job."):
        assert words in text, words
    for path in (reverse("admin:federations_syncjob_changelist"), page(found), reverse("admin:index")):
        assert "Success, 14 warnings" in admin.get(path).content.decode(), path
    federations = admin.get(reverse("admin:federations_federation_changelist")).content.decode()
    assert "Success, 14 warnings" in federations


def test_a_job_without_warnings_does_not_mention_them(admin: Client, cloud: MemoryCloud) -> None:
    job = sync(federation(), cloud, server("ledger"))
    assert "warning" not in text_of(admin, job)
    page = admin.get(reverse("admin:federations_syncjob_changelist")).content.decode()
    assert "warning" not in page[page.index('id="result_list"') :]


def test_a_dry_run_shows_the_warnings_of_its_plan(admin: Client, cloud: MemoryCloud) -> None:
    found, ledger = federation(), server("ledger")
    lost = SyncWarning("tool", "draft", ledger.runtime.runtime_id, "it has no input schema")
    cloud.findings = (replace(ledger, catalog=replace(ledger.catalog, warnings=(lost,))),)
    path = reverse("admin:federations_federation_dry_run", args=[found.pk])
    text = admin.post(path, follow=True).content.decode()
    assert "1 warning." in text and "Tool draft" in text and "They do not fail a sync." in text
