"""The search of the whole hub: kinds, rights, freshness, a broken index, and the number of queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib import admin as site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from federations.models import A2aAgent, AccessLevel, Federation, McpServer, SyncJob
from federations.services.access import grant
from peers.models import Dispatch, Intent, Peer
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync
from tests.app.federations.admin.conftest import admin, cloud, staff
from tests.stores.counting import counted_queries

__all__ = ["admin", "cloud", "staff"]

pytestmark = pytest.mark.django_db(transaction=True)

SEARCH = reverse("admin:search")
Staff = Callable[..., Client]


def answer(client: Client, text: str) -> str:
    response = client.get(SEARCH, {"s": text})
    assert response.status_code == 200
    return response.content.decode()


def groups(html: str) -> dict[str, list[str]]:
    """Return the titles of the results by the title of their group, in the order of the page."""
    found: dict[str, list[str]] = {}
    for block in html.split('role="group"')[1:]:
        heading = re.search(r'role="presentation">([^<]*)<', block)
        assert heading
        found[heading[1]] = re.findall(r"<strong>([^<]*)</strong>", block)
    return found


def a_hub_with_work(cloud: MemoryCloud) -> Federation:
    """Sync two federations, and make a peer, an intent and a dispatch."""
    found = federation("Payments")
    sync(found, cloud, server("ledger"), agent("pharmacy-fraud"))
    sync(federation("Claims"), cloud, server("claims-store"), agent("claims-triage"))
    peer = Peer.objects.create(server_url="https://clinic.example.org", display_name="Clinic")
    intent = Intent.objects.create(title="Check the refunds", description="All of May")
    Dispatch.objects.create(
        id="dispatch-00001",
        intent_id=intent.pk,
        intent_title=intent.title,
        peer=peer,
        target_server=peer.server_url,
        envelope="{}",
    )
    return found


def test_a_question_in_plain_words_finds_the_agent_that_can_do_it(admin: Client, cloud: MemoryCloud) -> None:
    a_hub_with_work(cloud)

    html = answer(admin, "detect fraud")

    found = groups(html)
    assert found["A2A agents"] == ["pharmacy-fraud (pharmacy-fraud Inspector)"]
    assert A2aAgent.objects.get(name="pharmacy-fraud").pk in html


def test_results_are_grouped_by_kind_with_excerpts_and_a_link_to_the_part(admin: Client, cloud: MemoryCloud) -> None:
    a_hub_with_work(cloud)

    html = answer(admin, "list entries")

    assert groups(html)["Tools"] == ["list_entries", "list_entries"]
    assert "List entries of one account." in html
    ledger = McpServer.objects.get(server_name="ledger")
    assert f'href="{reverse("admin:federations_mcpserver_change", args=[ledger.pk])}#tools-0"' in html


@pytest.mark.parametrize(
    ("text", "group", "title"),
    [
        ("payments", "Federations", "Payments"),
        ("payments", "Sync jobs", "Payments: sync"),
        ("clinic", "Peers", "Clinic"),
        ("refunds", "Intents", "Check the refunds"),
        ("refunds", "Dispatches", "Check the refunds to Clinic"),
        ("sync jo", "Pages", "Sync jobs"),
    ],
)
def test_rows_are_found_by_name(admin: Client, cloud: MemoryCloud, text: str, group: str, title: str) -> None:
    a_hub_with_work(cloud)
    # The name of a job ends with the time of its request.
    found = [each.replace("full sync", "sync") for each in groups(answer(admin, text))[group]]
    assert any(each.startswith(title) for each in found)


@pytest.mark.parametrize("model", [Federation, McpServer, A2aAgent, SyncJob, Intent, Dispatch])
def test_a_row_is_found_by_its_id(admin: Client, cloud: MemoryCloud, model: type) -> None:
    a_hub_with_work(cloud)
    row = model.objects.first()  # type: ignore[attr-defined]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"  # type: ignore[attr-defined]

    assert f'href="{reverse(name, args=[row.pk])}"' in answer(admin, f" {row.pk} ")


def test_a_whole_name_comes_before_the_hits_of_the_index(admin: Client, cloud: MemoryCloud) -> None:
    a_hub_with_work(cloud)
    assert next(iter(groups(answer(admin, "payments")))) == "Federations"
    assert next(iter(groups(answer(admin, "payment")))) != "Federations"


def test_nothing_found_says_what_was_searched(admin: Client, staff: Staff, cloud: MemoryCloud) -> None:
    a_hub_with_work(cloud)

    text = answer(admin, "zebra")

    assert "Nothing matches “zebra”." in text
    for kind in ("A2A agents", "Tools", "Prompts", "Federations", "Peers", "Dispatches", "Sync jobs"):
        assert kind in text
    partial = answer(staff("view_peer"), "zebra")
    assert "searched Peers, as far" in partial


def test_a_stranger_finds_nothing_and_is_told_why(staff: Staff, cloud: MemoryCloud) -> None:
    found = a_hub_with_work(cloud)
    stranger = staff()
    for text in ("detect fraud", "payments", "ledger", "clinic", "refunds", found.pk):
        html = answer(stranger, text)
        assert groups(html) == {}
        assert "You may not view anything that the search covers." in html


def test_a_reader_of_one_federation_finds_only_what_is_in_it(staff: Staff, cloud: MemoryCloud) -> None:
    found = a_hub_with_work(cloud)
    reader = staff(username="rita")
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="rita"))
    other = Federation.objects.get(display_name="Claims")

    shown = {text: groups(answer(reader, text)) for text in ("fraud", "claims", "clinic", "refunds", "payments")}

    assert shown["fraud"]["A2A agents"] == ["pharmacy-fraud (pharmacy-fraud Inspector)"]
    assert set(shown["payments"]) <= {"Federations", "Sync jobs", "A2A agents", "MCP servers", "Tools", "Resources"}
    assert shown["payments"]["Federations"] == ["Payments"]
    for text in ("claims", "clinic", "refunds"):
        assert "laims" not in str(shown[text])
        assert not set(shown[text]) & {"Peers", "Intents", "Dispatches"}
    assert groups(answer(reader, other.pk)) == {}


def test_a_person_without_an_account_in_the_admin_is_sent_to_log_in(db: None) -> None:
    response = Client().get(SEARCH, {"s": "fraud"})
    assert response.status_code == 302
    assert "/login/" in response["Location"]


def test_an_answer_is_never_kept(admin: Client, cloud: MemoryCloud) -> None:
    found = a_hub_with_work(cloud)
    assert "Claims" in str(groups(answer(admin, "claims")))

    sync(found, cloud, server("ledger"), agent("pharmacy-fraud", "2"), agent("new-claims"))
    Federation.objects.filter(display_name="Claims").update(display_name="Appeals")

    assert "new-claims (new-claims Inspector)" in groups(answer(admin, "claims"))["A2A agents"]
    assert "Federations" not in groups(answer(admin, "claims"))
    assert "no-store" in admin.get(SEARCH, {"s": "claims"})["Cache-Control"]


def test_an_index_that_cannot_be_read_leaves_the_rows_by_name(
    admin: Client, cloud: MemoryCloud, settings: LazySettings, tmp_path: Path
) -> None:
    a_hub_with_work(cloud)
    (tmp_path / "file").write_text("in the way of a folder")
    settings.SEARCH_PATH = str(tmp_path / "file" / "search.sqlite3")

    html = answer(admin, "ledger")

    assert "The search index cannot be read. The results have the rows" in html
    assert groups(html) == {"MCP servers by name": ["ledger"]}
    assert str(tmp_path) not in html


@pytest.mark.parametrize("text", ["", "  ", "'", '"*', "%", "<script>alert(1)</script>", "é" * 5_000, "((("])
def test_any_text_gets_an_answer(admin: Client, cloud: MemoryCloud, text: str) -> None:
    a_hub_with_work(cloud)
    assert "<script>" not in answer(admin, text)


def test_the_number_of_queries_does_not_grow_with_the_rows(admin: Client, cloud: MemoryCloud) -> None:
    a_hub_with_work(cloud)
    with counted_queries() as few:
        answer(admin, "e")
    for number in range(6):
        sync(federation(f"More {number}"), cloud, *[server(f"more-{number}-{each}") for each in range(20)])
    with counted_queries() as many:
        answer(admin, "e")
    assert len(many) == len(few)
    assert len(few) <= 14


def test_more_hits_than_a_group_shows_have_a_link_to_all_of_them(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, *[server(f"more-{each}") for each in range(60)])

    html = answer(admin, "list_entries")

    assert len(groups(html)["Tools"]) == 5
    assert 'href="/admin/tools/?q=list_entries"' in html
    assert "Show all that match" in html
    assert admin.get("/admin/tools/?q=list_entries").status_code == 200


def test_each_page_has_the_search_box(admin: Client) -> None:
    for path in (reverse("admin:index"), reverse("admin:peers_peer_changelist")):
        html = admin.get(path).content.decode()
        assert "Search agents, servers, tools, peers…" in html
        assert 'id="fedhub-search"' in html


def test_where_some_kind_has_every_word_no_other_kind_has_some_of_them(admin: Client, cloud: MemoryCloud) -> None:
    for count in (1, 60):
        sync(federation(f"Of {count}"), cloud, agent("account-helper"), *[server(f"s-{each}") for each in range(count)])
        assert "A2A agents" in groups(answer(admin, "account"))
        # The text of each server has the names of its tool and of its resource `accounts`.
        assert set(groups(answer(admin, "list entries account"))) == {"Tools", "MCP servers"}


@pytest.mark.parametrize("text", ["(((", "[", ".*", "^", "\\"])
def test_each_list_takes_a_typed_id_as_it_is(admin: Client, cloud: MemoryCloud, text: str) -> None:
    """MongoDB would take the value of `iexact` as a regular expression."""
    a_hub_with_work(cloud)
    for model, page in site.site._registry.items():
        if page.search_fields and model._meta.app_label in ("federations", "peers"):
            path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            response = admin.get(path, {"q": text})
            assert response.status_code == 200, path
            assert response.context["cl"].result_count == 0, path
