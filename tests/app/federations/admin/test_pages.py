from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model
from unfold.admin import ModelAdmin

from core.errors import ExternalServiceError
from core.store import unit_of_work
from federations.models import A2aAgent, AccessLevel, Federation, McpServer, SyncJob
from federations.providers.base import ProviderError
from federations.services.access import grant
from federations.services.jobs import take
from federations.services.start import start_sync
from tests.app.federations.admin.cloud import STAFF, MemoryCloud, agent, failed_agent, federation, server, sync
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = reverse("admin:index")
REGISTRY = ["federation", "mcpserver", "a2aagent", "syncjob", "runtimeobservation"]


def changelist(model: str) -> str:
    return reverse(f"admin:federations_{model}_changelist")


def page(row: object) -> str:
    return reverse(f"admin:federations_{type(row).__name__.lower()}_change", args=[row.pk])  # type: ignore[attr-defined]


def populated(cloud: MemoryCloud, count: int = 1) -> Federation:
    for number in range(count):
        found = federation(f"Federation {number}", tags=("production", f"team-{number}"))
        servers = [server(f"ledger-{number}-{each}") for each in range(3)]
        sync(found, cloud, *servers, agent(f"triage-{number}"), failed_agent(f"kyc-{number}"))
    return found


def queries_of(client: Client, path: str) -> int:
    with counted_queries() as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", [*REGISTRY, "dashboard"])
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(admin: Client, cloud: MemoryCloud, model: str) -> None:
    path = INDEX if model == "dashboard" else changelist(model)
    populated(cloud)
    few = queries_of(admin, path)
    for number in range(1, 6):
        found = federation(f"More {number}", tags=("production", f"more-{number}"))
        sync(found, cloud, *[server(f"more-{number}-{each}") for each in range(3)], agent(f"more-{number}"))

    assert queries_of(admin, path) == few
    # MongoDB answers each part of a union by a query of its own.
    assert few <= (15 if connections[unit_of_work.REGISTRY].vendor != "mongodb" else 27)


@pytest.mark.parametrize("model", REGISTRY)
def test_an_empty_list_explains_the_next_step(admin: Client, model: str) -> None:
    response = admin.get(changelist(model))

    assert "There is nothing here yet" in response.content.decode()
    assert str(response.context["cl"].model_admin.empty_hint)[:30] in response.content.decode()


def test_every_model_of_the_site_is_listed_in_unfolds_look(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)
    for model, model_admin in site.site._registry.items():
        assert isinstance(model_admin, ModelAdmin), model
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert admin.get(path).status_code == 200, model


@pytest.mark.parametrize("model", ["mcpserver", "a2aagent", "syncjob", "runtimeobservation"])
def test_rows_that_the_hub_writes_are_read_only_even_for_a_superuser(
    admin: Client, cloud: MemoryCloud, model: str
) -> None:
    populated(cloud)
    found = apps.get_model("federations", model)._default_manager.first()
    assert found is not None

    assert admin.get(page(found)).status_code == 200
    assert admin.post(page(found), {"name": "changed"}).status_code == 403
    assert admin.post(reverse(f"admin:federations_{model}_delete", args=[found.pk])).status_code == 403
    assert admin.get(reverse(f"admin:federations_{model}_add")).status_code == 403


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=pay", {"Payments"}),
        ("q=%25", set()),
        ("tag=eu", {"Payments", "Claims"}),
        ("tag=eu&tag=new", {"Claims"}),
        ("status__exact=disabled", set()),
        ("sync_status__exact=idle", {"Payments", "Claims", "Other"}),
        ("provider_type__exact=azure_ai_foundry", set()),
    ],
)
def test_federations_are_searched_and_filtered(admin: Client, query: str, names: set[str]) -> None:
    federation("Payments", tags=("eu",))
    federation("Claims", tags=("eu", "new"))
    federation("Other", tags=())

    response = admin.get(f"{changelist('federation')}?{query}")

    assert {found.display_name for found in response.context["cl"].result_list} == names


def test_servers_are_searched_and_filtered(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud, count=2)

    def listed(query: str) -> list[str]:
        return [row.server_name for row in admin.get(f"{changelist('mcpserver')}?{query}").context["cl"].result_list]

    def names(query: str) -> set[str]:
        return set(listed(query))

    # The search index takes a name as words, so it also finds `ledger-1-0`.
    assert listed("q=ledger-0-1")[0] == "ledger-0-1"
    assert names(f"federation__id__exact={found.pk}") == {"ledger-1-0", "ledger-1-1", "ledger-1-2"}
    assert names("access_mode=jwt") == set()
    assert len(names("access_mode=iam&tag=env:production")) == 6
    assert names("tag=env:test") == set()


def test_a_server_shows_its_tools_with_their_schemas(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)

    text = admin.get(page(McpServer.objects.first())).content.decode()

    for expected in ("list_entries", "List entries of one account.", "IBAN or account number", "ledger://accounts"):
        assert expected in text
    assert "2 parameters, 1 required" in text


def test_a_resources_page_has_its_name_as_title_and_links_to_its_federation(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    for row in (McpServer.objects.get(server_name="ledger-0-0"), A2aAgent.objects.get(name="triage-0")):
        text = admin.get(page(row)).content.decode()
        assert row.name in text[text.index("<title>") : text.index("</title>")]
        assert text.count(row.path) == 1
        assert text.index(page(found)) < text.index("List entries" if isinstance(row, McpServer) else "Sorts incoming")


def test_a_runtimes_access_is_explained_in_words(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)

    assert "IAM: the hub signs each call" in admin.get(page(McpServer.objects.first())).content.decode()
    agents_page = admin.get(page(A2aAgent.objects.first())).content.decode()
    assert "JWT: each call carries a token" in agents_page
    assert "Audience: fedhub-agents" in agents_page


def test_an_agent_shows_its_skills_and_its_card(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)

    text = admin.get(page(A2aAgent.objects.first())).content.decode()

    for expected in ("Sorts incoming cases by risk.", "Is this refund suspicious?", "JWT", "triage-0 Inspector"):
        assert expected in text


def test_an_agents_own_address_is_only_in_the_card_as_served(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)
    own = "https://agent.example.com/own"
    card = {"name": "n", "supported_interfaces": [{"url": f"{own}/v1"}], "additionalInterfaces": own, "url": own}
    A2aAgent.objects.update(card=card)

    response = admin.get(page(A2aAgent.objects.get()))

    shown, raw = (fold.text for fold in response.context["documents"])
    assert own not in shown
    assert shown.count("https://example.com/invocations") == 2
    assert json.loads(raw) == card
    before, _, after = response.content.decode().partition("Agent card as the agent served it")
    assert (own in before, after.count(own)) == (False, 3)


@pytest.mark.parametrize("text", ["inspector", "APOTHECARY", "triage-0"])
def test_an_agent_is_found_by_the_names_on_its_card(admin: Client, cloud: MemoryCloud, text: str) -> None:
    populated(cloud)
    for path in (changelist("a2aagent"), reverse("admin:peers_discoveredagent_changelist")):
        assert admin.get(path, {"q": text}).context["cl"].result_count == 1
        assert admin.get(path, {"q": f"{text}x"}).context["cl"].result_count == 0


def test_a_server_is_found_by_its_title(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)
    McpServer.objects.filter(server_name="ledger-0-1").update(title="General Ledger")
    assert admin.get(changelist("mcpserver"), {"q": "general ledger"}).context["cl"].result_count == 1


def test_markup_from_a_hostile_runtime_is_shown_as_text(admin: Client, cloud: MemoryCloud) -> None:
    evil = "<script>alert(1)</script>"
    populated(cloud)
    odd = [{"name": evil, "description": evil, "inputSchema": {"title": evil}}, "no object", {"name": 7}, {}]
    McpServer.objects.update(
        tools=odd, resources=[{"uri": evil}, None], prompts=[{"arguments": "none"}], description=evil
    )
    A2aAgent.objects.update(skills=[{"name": evil, "tags": "none", "examples": {"a": 1}}, 3], card={"name": evil})

    for row in (McpServer.objects.first(), A2aAgent.objects.first()):
        text = admin.get(page(row)).content.decode()
        assert evil not in text
        assert "&lt;script&gt;alert(1)" in text
    assert evil not in admin.get(changelist("mcpserver")).content.decode()


def test_a_job_shows_its_changes_and_errors(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)

    text = admin.get(page(SyncJob.objects.first())).content.decode()

    for expected in ("4 created", "1 error", "ledger-0-1", "new server", "enrichment failed: 403 Forbidden"):
        assert expected in text


def test_a_running_job_shows_its_progress_on_each_page(admin: Client) -> None:
    found = federation()
    lease = take(start_sync(found, by=STAFF).id)
    lease.update(phase="enriching", progress_done=30, progress_total=120)

    for path in (page(SyncJob.objects.get()), changelist("syncjob"), INDEX, page(found)):
        text = admin.get(path).content.decode()
        assert "Enriching" in text
        assert "30 of 120" in text
        assert "width: 25%" in text


def test_a_federations_page_asks_for_nothing_when_its_job_has_ended(admin: Client, cloud: MemoryCloud) -> None:
    assert 'hx-trigger="every' not in admin.get(page(populated(cloud))).content.decode()


@pytest.mark.parametrize("tab", ["change", "jobs"])
def test_a_federations_page_follows_its_running_job(admin: Client, tab: str) -> None:
    found = federation()
    job = start_sync(found, by=STAFF)

    text = admin.get(reverse(f"admin:federations_federation_{tab}", args=[found.pk])).content.decode()

    assert f'class="job-result-{job.pk}"' in text
    assert f'name="job" value="{job.pk}"' in text


def test_a_discovery_shows_a_moving_bar_while_the_total_is_unknown(admin: Client) -> None:
    found = federation()
    job = start_sync(found, by=STAFF)
    assert "fedhub-moving" not in admin.get(page(job)).content.decode()

    take(job.id)

    text = admin.get(page(job)).content.decode()
    assert "Discovering" in text
    assert "fedhub-moving" in text


def test_a_job_shows_its_times_to_the_second_and_its_federation(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    job = SyncJob.objects.get()
    assert job.finished_at is not None

    text = admin.get(page(job)).content.decode()

    assert timezone.localtime(job.finished_at).strftime("%Y-%m-%d %H:%M:%S") in text
    assert "Federation 0: full sync" in text
    assert text.index(page(found)) < text.index("4 created")


def test_a_federations_page_shows_its_jobs_and_links_to_all_of_them(admin: Client, cloud: MemoryCloud) -> None:
    other = populated(cloud, count=2)
    found = Federation.objects.exclude(pk=other.pk).get()
    job = SyncJob.objects.get(federation_id=found.pk)

    for path in (page(found), reverse("admin:federations_federation_jobs", args=[found.pk])):
        text = admin.get(path).content.decode()
        assert page(job) in text

    listed = admin.get(f"{changelist('syncjob')}?q={found.pk}").context["cl"].result_list
    assert [row.pk for row in listed] == [job.pk]


def test_the_dashboard_of_an_empty_hub_links_to_the_first_step(admin: Client) -> None:
    assert reverse("admin:federations_federation_add") in admin.get(INDEX).content.decode()


def test_the_dashboard_shows_counts_and_failures(admin: Client, cloud: MemoryCloud) -> None:
    populated(cloud)
    good = federation("Good")
    sync(good, cloud, server("fine"))

    response = admin.get(INDEX)

    assert {card["title"]: card["number"] for card in response.context["resource_cards"]} == {
        "MCP servers": 4,
        "Tools": 8,
        "A2A agents": 1,
    }
    assert [card["number"] for card in response.context["status_cards"]] == ["1", "1"]
    assert ["Good" in row[0] for row in response.context["jobs"]["rows"]] == [True, False]
    (cause,) = response.context["causes"]["first"]
    assert (cause["title"], cause["number"]) == ("enrichment failed: 403 Forbidden", "1 federation")


def test_the_dashboard_calls_a_new_federation_never_synced(admin: Client) -> None:
    federation()

    text = admin.get(INDEX).content.decode()

    assert "Never synced" in text
    assert "Idle" not in text


def test_a_sync_with_errors_differs_from_a_failed_sync(admin: Client, cloud: MemoryCloud) -> None:
    found = populated(cloud)
    short = "4 stored, 1 failed: A2A agent kyc-0: enrichment failed: 403 Forbidden"
    for path in (page(found), page(SyncJob.objects.get()), changelist("federation"), changelist("syncjob")):
        text = admin.get(path).content.decode()
        assert "With errors" in text, path
        assert (short in text) == ("change/" in path), path
    assert SyncJob.objects.get().status == Federation.objects.get().sync_status == "failed"

    cloud.error = ProviderError("Failed to list AgentCore runtimes in us-east-1: denied")
    with pytest.raises(ExternalServiceError):
        sync(found, cloud)

    text = admin.get(page(found)).content.decode()
    assert "The last sync failed." in text
    assert "Failed to list AgentCore runtimes" in text


def test_staff_without_permission_see_no_registry(staff: Callable[..., Client], cloud: MemoryCloud) -> None:
    populated(cloud)
    outsider = staff()

    text = outsider.get(INDEX).content.decode()
    assert "Ask an administrator" in text
    assert "Federation 0" not in text
    assert changelist("mcpserver") not in text
    for model in REGISTRY:
        assert outsider.get(changelist(model)).status_code == 403, model


def test_readers_see_every_row_and_no_control_to_change_it(staff: Callable[..., Client], cloud: MemoryCloud) -> None:
    found = populated(cloud)
    reader = staff("view_federation", "view_mcpserver", "view_a2aagent", "view_syncjob", "view_runtimeobservation")

    for model in REGISTRY:
        assert reader.get(changelist(model)).status_code == 200, model
    text = reader.get(page(found)).content.decode()
    assert "us-east-1" in text and "env:production" in text and found.external_id in text
    assert 'name="_save"' not in text
    assert 'name="display_name"' not in text
    assert "ledger-0-0" in reader.get(changelist("mcpserver")).content.decode()


def test_an_anonymous_user_is_redirected_to_the_login() -> None:
    response = Client().get(changelist("federation"))

    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("admin:login"))


def test_a_login_without_a_next_page_opens_the_dashboard() -> None:
    User.objects.create_superuser("operator", password="a long enough password")

    response = Client().post(reverse("admin:login"), {"username": "operator", "password": "a long enough password"})

    assert (response.status_code, response.headers["Location"]) == (302, INDEX)


def test_no_page_shows_a_token_or_a_clients_secret(admin: Client) -> None:
    user = User.objects.get()
    application = get_application_model().objects.create(
        name="robot",
        user=user,
        client_type="confidential",
        authorization_grant_type="client-credentials",
        client_secret="a-very-secret-secret",
    )
    token = get_access_token_model().objects.create(
        user=user,
        application=application,
        token="tok-0123456789abcdef",
        scope="federations-read",
        expires=timezone.now() + timedelta(hours=1),
    )
    application.refresh_from_db()
    paths = [
        reverse("admin:oauth2_provider_accesstoken_changelist"),
        reverse("admin:oauth2_provider_accesstoken_change", args=[token.pk]),
        reverse("admin:oauth2_provider_application_change", args=[application.pk]),
    ]

    for path in paths:
        response = admin.get(path)
        assert response.status_code == 200
        for secret in ("0123456789abcdef", "a-very-secret-secret", application.client_secret):
            assert secret not in response.content.decode(), path


def test_a_grant_on_one_federation_shows_only_its_rows(staff: Callable[..., Client], cloud: MemoryCloud) -> None:
    found = populated(cloud, count=2)
    guest = staff()
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))

    for model in REGISTRY:
        text = guest.get(changelist(model)).content.decode()
        assert "Federation 1" in text, model
        assert "Federation 0" not in text, model
    assert "team-0" not in guest.get(changelist("federation")).content.decode()
    dashboard = guest.get(INDEX).content.decode()
    assert "Federation 1" in dashboard and "Federation 0" not in dashboard
    hidden = McpServer.objects.get(server_name="ledger-0-0")
    assert guest.get(page(hidden)).status_code == 302
