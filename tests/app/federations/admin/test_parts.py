"""The pages of all tools and of all skills, and the search boxes of the lists of servers and agents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse

from core.store.unit_of_work import REGISTRY
from federations.models import A2aAgent, AccessLevel, Federation, McpServer
from federations.services.access import grant
from tests.app.federations.admin.cloud import MemoryCloud, agent, federation, server, sync
from tests.conftest import MakeAgent, MakeServer
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

TOOLS, SKILLS = reverse("admin-tools"), reverse("admin-skills")
SERVERS, AGENTS = reverse("admin:federations_mcpserver_changelist"), reverse("admin:federations_a2aagent_changelist")
Staff = Callable[..., Client]


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def names(client: Client, path: str) -> list[tuple[str, str]]:
    """Return the name and the owner of each row of a page of tools or skills."""
    rows = client.get(path).context["table"]["rows"]
    return [(plain(row[0]), plain(row[1])) for row in rows]


def plain(cell: str) -> str:
    return cell.partition("</a>")[0].rpartition(">")[2]


def test_the_page_of_tools_shows_where_each_tool_is_and_what_it_takes(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation("Payments"), cloud, server("refunds", tools=("refund",)), server("ledger"))

    assert names(admin, TOOLS) == [("list_entries", "ledger"), ("post_entry", "ledger"), ("refund", "refunds")]
    html = text_of(admin, TOOLS)
    for expected in ("List entries of one account.", "Payments", "<code>account</code> string", "integer, optional"):
        assert expected in html
    assert "1 to 3 of 3 tools" in html


def test_the_page_of_skills_shows_agent_and_tags(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation("Payments"), cloud, agent("triage"))

    assert names(admin, SKILLS) == [("Triage", "triage"), ("Explain", "triage")]
    html = text_of(admin, SKILLS)
    for expected in ("Sorts incoming cases by risk.", "fraud", "risk", "Payments"):
        assert expected in html


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{TOOLS}?q=IBAN", [("refund", "refunds")]),
        (f"{TOOLS}?q=money+back", []),
        (f"{SKILLS}?q=suspicious+refunds", [("Triage", "triage")]),
    ],
)
def test_parts_are_searched_by_the_index(
    admin: Client, cloud: MemoryCloud, path: str, expected: list[tuple[str, str]]
) -> None:
    sync(federation(), cloud, server("refunds", tools=("refund",)), agent("triage"))

    assert names(admin, path) == expected
    if not expected:
        assert "The hub searched the names, descriptions and parameters of the tools" in text_of(admin, path)


def test_the_filter_by_federation_restricts_the_list_and_the_search(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation("One"), cloud, server("first", tools=("refund",)))
    two = federation("Two")
    sync(two, cloud, server("second", tools=("refund",)))

    for query in ("", "&q=refund"):
        assert names(admin, f"{TOOLS}?federation={two.pk}{query}") == [("refund", "second")]
    assert len(names(admin, f"{TOOLS}?federation=unknown")) == 2


@pytest.mark.parametrize("path", [TOOLS, SKILLS])
def test_an_empty_page_explains_the_next_step(admin: Client, path: str) -> None:
    html = text_of(admin, path)
    assert "There is nothing here yet" in html
    assert "Open a federation and press Sync now." in html


@pytest.mark.parametrize("path", [TOOLS, SKILLS])
def test_a_stranger_may_not_open_the_pages(staff: Staff, cloud: MemoryCloud, path: str) -> None:
    sync(federation(), cloud, server("ledger"), agent("triage"))
    stranger = staff()
    assert stranger.get(path).status_code == 403
    assert path not in text_of(stranger, reverse("admin:index"))


def test_a_reader_sees_the_parts_of_one_federation(staff: Staff, cloud: MemoryCloud) -> None:
    found, other = federation("One"), federation("Two")
    sync(found, cloud, server("first"), agent("first-agent"))
    sync(other, cloud, server("second"), agent("second-agent"))
    reader = staff(username="rita")
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="rita"))

    for path in (TOOLS, SKILLS, f"{TOOLS}?q=entries", f"{SKILLS}?q=triage", f"{TOOLS}?federation={other.pk}"):
        assert {owner.partition("-")[0] for _, owner in names(reader, path)} == {"first"}, path
        assert "second" not in text_of(reader, path)
    assert TOOLS in text_of(reader, reverse("admin:index"))


def test_parts_without_a_federation_need_the_permission_on_their_owners(
    staff: Staff, make_server: MakeServer, make_agent: MakeAgent
) -> None:
    make_server(None, "alone")
    make_agent(None, "lone-agent")
    assert names(staff("view_mcpserver"), TOOLS) == [("lookup", "alone")]
    assert names(staff("view_a2aagent", username="sara"), SKILLS) == [("Sum up", "lone-agent")]
    assert staff("view_mcpserver", username="tom").get(SKILLS).status_code == 403


def test_pages_cover_all_tools_once(admin: Client, cloud: MemoryCloud) -> None:
    tools = [tuple(f"tool_{number}_{each}" for each in range(number)) for number in (0, 1, 49, 60, 3, 50)]
    sync(federation(), cloud, *[server(f"server-{place}", tools=own) for place, own in enumerate(tools)])

    pages = [names(admin, f"{TOOLS}?p={number}") for number in range(1, 6)]

    assert [len(page) for page in pages] == [50, 50, 50, 13, 0]
    listed = [name for page in pages for name, _ in page]
    assert listed == [name for own in tools for name in own]
    assert "51 to 100 of 163 tools" in text_of(admin, f"{TOOLS}?p=2")
    assert 'href="?p=3"' in text_of(admin, f"{TOOLS}?p=2")
    assert 'href="?p=5"' not in text_of(admin, f"{TOOLS}?p=4")


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "²", "9" * 40])
def test_an_odd_page_number_gets_an_answer(admin: Client, cloud: MemoryCloud, number: str) -> None:
    sync(federation(), cloud, server("ledger"))
    for path in (f"{TOOLS}?p={number}", f"{TOOLS}?q=entries&p={number}"):
        assert admin.get(path).status_code == 200


@pytest.mark.parametrize("path", [TOOLS, SKILLS, f"{TOOLS}?q=entries", f"{SKILLS}?q=triage", f"{AGENTS}?q=fraud"])
def test_a_page_takes_as_many_queries_for_many_rows_as_for_few(admin: Client, cloud: MemoryCloud, path: str) -> None:
    sync(federation(), cloud, server("ledger"), agent("triage"))
    with counted_queries() as few:
        admin.get(path)
    for number in range(4):
        owners = [each(f"more-{number}-{place}") for each in (server, agent) for place in range(8)]
        sync(federation(f"More {number}"), cloud, *owners)
    with counted_queries() as many:
        admin.get(path)
    assert len(many) == len(few)
    # MongoDB asks once more where another store joins.
    assert len(few) <= (15 if connections[REGISTRY].vendor != "mongodb" else 18)


def test_parts_of_another_shape_are_listed_without_an_error(admin: Client, make_server: MakeServer) -> None:
    odd: list[object] = [{"name": 7}, "text", None, {"inputSchema": []}, {"name": "x" * 5_000, "description": ["y"]}]
    make_server(None, "odd", tools=odd, num_tools=len(odd))
    assert [name for name, _ in names(admin, TOOLS)] == ["(no name)", "(no name)", "x" * 5_000]


def test_markup_of_a_runtime_stays_text(admin: Client, make_server: MakeServer) -> None:
    tool = {"name": "<b>x</b>", "description": "<img src=x>", "inputSchema": {"properties": {"<i>": {"type": "<u>"}}}}
    make_server(None, "odd", tools=[tool])
    html = text_of(admin, TOOLS)
    for markup in ("<b>x</b>", "<img src=x>", "<i>", "<u>"):
        assert markup not in html


def test_a_tool_that_changed_since_it_was_indexed_is_shown_as_the_index_has_it(
    admin: Client, cloud: MemoryCloud
) -> None:
    sync(federation(), cloud, server("ledger"))
    McpServer.objects.update(tools=[])

    assert names(admin, f"{TOOLS}?q=post") == [("post_entry", "ledger")]


def test_an_index_that_cannot_be_read_leaves_the_tools_of_servers_by_name(
    admin: Client, cloud: MemoryCloud, settings: LazySettings, tmp_path: Path
) -> None:
    sync(federation(), cloud, server("ledger"), server("refunds"), agent("triage"))
    (tmp_path / "file").write_text("in the way of a folder")
    settings.SEARCH_PATH = str(tmp_path / "file" / "search.sqlite3")

    html = text_of(admin, f"{TOOLS}?q=Ledg")
    assert "The search index cannot be read. The list has the tools of the servers" in html
    assert {owner for _, owner in names(admin, f"{TOOLS}?q=Ledg")} == {"ledger"}
    listed = text_of(admin, f"{SERVERS}?q=ledg")
    assert "The search index cannot be read. The list has the rows" in listed
    assert "ledger" in listed


def listed(client: Client, path: str) -> list[str]:
    return [str(row) for row in client.get(path).context["cl"].result_list]


def test_the_lists_own_boxes_find_what_a_resource_can_do_best_first(admin: Client, cloud: MemoryCloud) -> None:
    sync(
        federation(),
        cloud,
        agent("pharmacy"),
        server("audit-refunds", tools=("list",)),
        server("ledger", tools=("refund", "refund_all")),
        server("refund", tools=("other",)),
        server("weather", tools=("forecast",)),
    )

    assert listed(admin, f"{AGENTS}?q=detect+fraud") == ["pharmacy"]
    assert listed(admin, f"{SERVERS}?q=refund")[0] == "refund"
    assert set(listed(admin, f"{SERVERS}?q=refund")) == {"refund", "audit-refunds", "ledger"}
    assert listed(admin, f"{SERVERS}?q=IBAN+forecast") == ["weather"]


def test_the_lists_own_boxes_still_match_the_columns_and_keep_a_chosen_order(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, server("ledger"), server("old-ledger"), agent("triage"))
    ledger, triage = McpServer.objects.get(server_name="ledger"), A2aAgent.objects.get()

    assert listed(admin, f"{SERVERS}?q={ledger.runtime_id}") == ["ledger"]
    assert listed(admin, f"{SERVERS}?q={ledger.pk}") == ["ledger"]
    assert listed(admin, f"{AGENTS}?q={triage.pk}") == ["triage"]
    # `edge` is no beginning of a word, so only the columns match.
    assert set(listed(admin, f"{SERVERS}?q=edge")) == {"ledger", "old-ledger"}
    assert listed(admin, f"{SERVERS}?q=ledger&o=-1") == ["old-ledger", "ledger"]
    assert listed(admin, f"{SERVERS}?q=ledger&status=FAILED") == []


def test_the_lists_own_boxes_find_only_what_the_reader_may_see(staff: Staff, cloud: MemoryCloud) -> None:
    found = federation("One")
    sync(found, cloud, agent("first"))
    sync(federation("Two"), cloud, agent("second"))
    reader = staff(username="rita")
    grant(found, level=AccessLevel.VIEW, user=User.objects.get(username="rita"))
    assert listed(reader, f"{AGENTS}?q=detect+fraud") == ["first"]


def test_a_server_of_a_deleted_federation_is_not_found(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, server("ledger"))
    Federation.objects.all().delete()
    assert listed(admin, f"{SERVERS}?q=entries") == []
    assert names(admin, f"{TOOLS}?q=entries") == []


def test_a_list_says_that_the_index_has_more_hits(admin: Client, cloud: MemoryCloud) -> None:
    sync(federation(), cloud, *[server(f"more-{each}") for each in range(60)])

    response = admin.get(f"{SERVERS}?q=IBAN")

    assert "The search index has more hits." in response.content.decode()
    assert 45 <= response.context["cl"].result_count <= 60
    assert "more hits" not in text_of(admin, f"{SERVERS}?q=more-7")


def test_a_list_of_tools_has_chips_and_a_file_for_those_who_may_export(
    admin: Client, staff: Staff, cloud: MemoryCloud
) -> None:
    payments = federation("Payments")
    sync(payments, cloud, server("ledger"), server("=refunds", tools=("refund_order",)))
    claims = federation("Claims")
    sync(claims, cloud, server("claims", tools=("refund_claim",)))
    query = f"?q=refund&federation={payments.pk}"
    chips = [(chip.title, chip.value, chip.url) for chip in admin.get(TOOLS + query).context["chips"]]
    assert chips == [("Search", "refund", f"?federation={payments.pk}"), ("Federation", "Payments", "?q=refund")]

    lines = b"".join(admin.get(f"{TOOLS}{query}&export=csv")).decode().splitlines()
    assert lines[0] == "Name,Title,Description,Takes,Server,Federation,Changed"
    assert [line.split(",")[0] for line in lines[1:]] == ["refund_order"]
    assert ",'=refunds,Payments,2" in lines[1]
    every = b"".join(admin.get(f"{TOOLS}?export=csv")).decode()
    assert every.count("\r\n") == 1 + 4

    viewer, clerk = staff("view_mcpserver"), staff("export_list", username="clerk")
    assert viewer.get(f"{TOOLS}?export=csv").status_code == 403
    assert "export=csv" not in text_of(viewer, TOOLS)
    grant(claims, level=AccessLevel.VIEW, user=User.objects.get(username="clerk"))
    assert "refund_order" not in b"".join(clerk.get(f"{TOOLS}?export=csv")).decode()
