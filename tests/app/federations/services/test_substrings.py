"""A search by a part of a text finds with the index of substrings what a scan finds, on each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import QuerySet
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.store.substrings import narrowing, postgresql, sqlite, with_candidates
from core.store.unit_of_work import REGISTRY
from federations.admin.servers import McpServerAdmin
from federations.api.registry_views import _narrowed
from federations.models import A2aAgent, McpServer, RuntimeObservation
from federations.services.shown import with_shown_text
from tests.conftest import MakeAgent, MakeRuntime, MakeServer, resource_columns

pytestmark = pytest.mark.django_db

VENDOR = connections[REGISTRY].vendor
EXAMPLES = {"sqlite": 120, "postgresql": 120}.get(VENDOR, 5)
# Letters whose pairs of upper and lower case the stores know differently, or whose other case is longer or shorter;
# marks that combine; signs that mean something to LIKE, to FTS5 or to SQL; control characters.
ODD = "aAbBiIkKsSıİßẞſσςΣéÉäÄа́А\u0307\u0301ⱥȺꭰᎠაᲐǆǅ漢字👩🏽\u200d🚀%_\\\"'*^-/ \t\n\x01\x1f\x7f"
texts = st.text(st.sampled_from(ODD), max_size=8)


@contextmanager
def scanning() -> Iterator[None]:
    """Let the block search without the index."""
    with patch.object(narrowing, "_registered", {}):
        yield


@contextmanager
def most_candidates(number: int) -> Iterator[None]:
    """Let searches in the block use the index for so many candidates at most."""
    with (
        patch.object(narrowing, "MOST_CANDIDATES", number),
        patch.object(sqlite, "MOST_CANDIDATES", number),
        patch.object(postgresql, "MOST_CANDIDATES", number),
    ):
        yield


def names(rows: QuerySet[Any]) -> set[str]:
    return {str(row) for row in rows}


def searches(text: str) -> dict[str, Callable[[], QuerySet[Any]]]:
    """Return each way to search for `text`, by its name."""
    registry = QueryDict(mutable=True)
    registry["search"] = text
    page = McpServerAdmin(McpServer, admin.site)
    return {
        "servers": lambda: with_shown_text(McpServer.objects.all(), text, "server_name", "title"),
        "agents": lambda: with_shown_text(A2aAgent.objects.all(), text, "name", "card_name", "organization"),
        "registry": lambda: _narrowed(McpServer.objects.all(), registry),
        "admin": lambda: page.search_by_name(None, McpServer.objects.all(), text)[0],  # type: ignore[arg-type]
    }


def assert_as_by_scan(text: str) -> None:
    """Assert that each search finds with the index what it finds without it."""
    for name, search in searches(text).items():
        with scanning():
            scanned = names(search())
        assert names(search()) == scanned, (name, text)


def store(number: int, title: str, description: str, newer: str | None) -> None:
    """Store a server and an agent with these texts, which show the text `newer` of an observation if there is one."""
    server = McpServer.objects.create(
        server_name=f"server {number}",
        title=title,
        **resource_columns("mcp", f"{number}") | {"description": description},
    )
    agent = A2aAgent.objects.create(
        name=f"agent {number}",
        card_name=title,
        organization=description,
        **resource_columns("a2a", str(number)) | {"description": title},
    )
    if newer is not None:
        for kind, row in (("server", server), ("agent", agent)):
            RuntimeObservation.objects.create(
                scope=kind, runtime_id=f"{number}", version="1", description=newer, **{kind: row}
            )


@pytest.fixture
def by_index(db: None) -> None:
    """Have PostgreSQL read small tables by their indexes too."""
    if VENDOR == "postgresql":
        with connections[REGISTRY].cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            # It compiles queries that it believes to be expensive, and so those that have to scan all the same.
            cursor.execute("SET LOCAL jit = off")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.tuples(texts, texts, st.none() | texts), min_size=1, max_size=4),
    text=texts.filter(str.strip) | st.integers(min_value=0),
    length=st.integers(min_value=1, max_value=6),
)
@example([("İstanbul", "ÉABCİ", None)], "éabci", 0)
@example([("İstanbul", "ΟΔΟΣ", None), ("οδοσ", "Οδος", None)], "οδος", 0)
@example([("STRASSE", "Straße", None), ("straẞe", "", None)], "strasse", 0)
@example([("STRASSE", "Straße", None), ("straẞe", "", None)], "straße", 0)
@example([("\u212aelvin", "", None)], "kelvin", 0)
@example([("100%_sure", 'a"b"c', None)], '0%_s "b"', 0)
@example([("old", "an old text", "a new text")], "new text", 0)
@example([("old", "an old text", "a new text")], "old text", 0)
def test_searches_find_what_a_scan_finds(
    by_index: None, rows: list[tuple[str, str, str | None]], text: str | int, length: int
) -> None:
    RuntimeObservation.objects.all().delete()
    McpServer.objects.all().delete()
    A2aAgent.objects.all().delete()
    for number, (title, description, newer) in enumerate(rows):
        store(number, title, description, newer)
    if isinstance(text, int):
        # A part of a text, in the other case.
        whole = "".join(filter(None, rows[text % len(rows)])) or "server 0"
        start = text % len(whole)
        text = whole[start : start + length].swapcase()
    if text.strip():
        assert_as_by_scan(text)


@pytest.fixture
def stored(make_server: MakeServer, make_agent: MakeAgent) -> None:
    for number in range(10):
        make_server(None, f"server-{number}", title="Ärger im Büro" if number % 2 else "Freude")
        make_agent(None, f"agent-{number}", organization="Payments")


@pytest.mark.parametrize("text", ["ver-7", "server-", "büro", "BÜRO", "s", "er", "", "server-7 büro", "nothing"])
def test_words_of_every_row_and_of_few_rows_are_found(stored: None, text: str) -> None:
    assert_as_by_scan(text)
    with most_candidates(3):
        assert_as_by_scan(text)


@pytest.mark.skipif(VENDOR == "mongodb", reason="MongoDB has no index of substrings")
@pytest.mark.parametrize(
    ("texts", "number"), [(["ver-7"], 1), (["VER-7"], 1), (["er", "ver-7"], 1), (["server-"], 10), (["zzz"], 0)]
)
def test_the_index_narrows_unless_many_rows_match(stored: None, texts: list[str], number: int) -> None:
    servers = McpServer.objects.all()
    assert with_candidates(servers, texts).count() == number
    if number:
        with most_candidates(number - 1):
            assert with_candidates(servers, texts) is servers
    for short in ([], [""], ["7"], ["-7"]):
        assert with_candidates(servers, short) is servers


@pytest.mark.skipif(VENDOR == "mongodb", reason="MongoDB has no index of substrings")
def test_more_further_rows_than_candidates_are_not_listed(stored: None) -> None:
    servers = McpServer.objects.all()
    two = list(servers.values_list("pk", flat=True)[:2])
    assert with_candidates(servers, ["zzz"], also=two).count() == 2
    with most_candidates(1):
        assert with_candidates(servers, ["zzz"], also=two) is servers


def test_an_observation_that_refers_to_a_resource_hides_its_own_description(
    make_server: MakeServer, make_runtime: MakeRuntime
) -> None:
    make_runtime(None, server=make_server(None, "one", description="the old words"), description="the new words")
    make_server(None, "two", description="the old words")
    rows = McpServer.objects.all()
    assert names(with_shown_text(rows, "new words")) == {"one"}
    assert names(with_shown_text(rows, "old words")) == {"two"}


def test_the_list_of_servers_finds_ids_words_and_phrases(stored: None, client: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(pk=owner.pk))
    one = McpServer.objects.get(server_name="server-7")
    for text in (one.pk, "ver-7", "Ärger server-7", "'er im Büro' VER-7", f"{one.pk} server"):
        page = client.get(reverse("admin:federations_mcpserver_changelist"), {"q": text})
        assert [row.server_name for row in page.context["cl"].result_list] == ["server-7"], text
