"""Pages of the agents list, and its limit for callers that prove nothing."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from core.actors import Actor
from federations.models import A2aAgent
from peers.models import AgentVisibilityChoice, Peer, RegisteredAgent
from peers.services.catalog.agents import register_agent, set_visibility
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.partner import OPERATOR, Partner, get
from tests.conftest import MakeAgent
from tests.stores.counting import counted_queries, more_rows_than_parameters

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/federation/agents"


@pytest.fixture
def mixed(make_agent: MakeAgent, settings: LazySettings) -> list[str]:
    """Return the ids of the public agents: discovered and registered ones, hidden and private ones between them."""
    settings.FEDHUB_VISIBILITY_DEFAULT = "public"
    for number in range(10):
        agent = make_agent(None, f"agent-{number}")
        if number % 4 == 3:
            set_visibility("", agent.path, "private", by=Actor(id="1", name="operator"))
    register_agent("agent-1", visibility="private")
    register_agent("agent-2", capabilities=["by hand"])
    for name in ("Ähre", "agent-25", "zz top", "A"):
        register_agent(name)
    return sorted({f"agent-{n}" for n in range(10) if n % 4 != 3} - {"agent-1"} | {"Ähre", "agent-25", "zz top", "A"})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [agent["agent_id"] for agent in answer.json()["agents"]]


def walk(limit: int) -> list[list[str]]:
    """Follow the cursors from page to page."""
    pages, query = [], f"limit={limit}"
    while True:
        answer = get(f"{AGENTS}?{query}")
        pages.append(ids(answer))
        if "next_cursor" not in answer.json():
            return pages
        query = f"limit={limit}&cursor={answer.json()['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 12, 500])
def test_the_pages_are_the_whole_list_in_its_order(mixed: list[str], limit: int) -> None:
    pages = walk(limit)

    assert [agent_id for page in pages for agent_id in page] == mixed
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert 0 < len(pages[-1]) <= limit


def test_without_a_limit_a_page_has_500_agents(db: None) -> None:
    RegisteredAgent.objects.bulk_create([RegisteredAgent(agent_id=f"a-{n:04}") for n in range(500)])
    assert get(AGENTS).json().keys() == {"agents"}
    register_agent("b")

    answer = get(AGENTS)

    assert len(ids(answer)) == 500
    assert ids(get(f"{AGENTS}?cursor={answer.json()['next_cursor']}")) == ["b"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=-1", "limit=x", "limit=", "limit=1e2", "limit=1&limit=2"]
)
def test_a_broken_limit_is_422(db: None, query: str) -> None:
    answer = get(f"{AGENTS}?{query}")

    assert (answer.status_code, answer.json()["message"].startswith("limit: ")) == (422, True)


BROKEN = ["", "x", "a-1", "AAAA", "%00", "é", "a" * 5000, base64.b64encode(b"agent-1").decode(), "cursor=1", "null"]


@pytest.mark.parametrize("cursor", BROKEN)
def test_a_broken_cursor_is_422(db: None, cursor: str) -> None:
    answer = Client(raise_request_exception=False).get(AGENTS, {"cursor": cursor})

    assert (answer.status_code, answer.json()["message"]) == (422, "cursor: is not a cursor of this list")


def test_every_change_of_a_cursor_is_noticed(mixed: list[str]) -> None:
    cursor = get(f"{AGENTS}?limit=5").json()["next_cursor"]
    for position in range(len(cursor)):
        assert get(f"{AGENTS}?cursor={cursor[:position]}").status_code == 422
    assert get(f"{AGENTS}?cursor={cursor}&cursor={cursor}").status_code == 422


def test_a_deleted_agent_does_not_break_the_cursor_that_names_it(mixed: list[str]) -> None:
    answer = get(f"{AGENTS}?limit=5")
    A2aAgent.objects.filter(path__endswith=ids(answer)[-1]).delete()
    RegisteredAgent.objects.filter(agent_id=ids(answer)[-1]).delete()

    assert ids(get(f"{AGENTS}?cursor={answer.json()['next_cursor']}")) == mixed[5:]


@pytest.mark.parametrize("default", ["public", "private"])
def test_a_page_takes_as_many_queries_whatever_the_registry_holds(
    make_agent: MakeAgent, settings: LazySettings, default: str
) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = default
    counts = []
    for size in (2, 30):
        for number in range(size):
            set_visibility("", make_agent(None, f"agent-{size}-{number}").path, "public", by=OPERATOR)
            register_agent(f"by-hand-{size}-{number}")
        with counted_queries() as queries:
            assert len(ids(get(f"{AGENTS}?limit=3"))) == 3
        counts.append(len(queries))
    assert max(counts) <= 6


def test_many_chosen_agents_fit_in_one_query(make_agent: MakeAgent, settings: LazySettings) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = "private"
    path = make_agent(None, "shown").path
    paths = [f"/agentcore/a2a/a-{n}" for n in range(more_rows_than_parameters())]
    chosen = [AgentVisibilityChoice(path=each, visibility="public") for each in paths]
    AgentVisibilityChoice.objects.bulk_create([*chosen, AgentVisibilityChoice(path=path, visibility="public")])

    assert ids(get(AGENTS)) == ["shown"]


# The limit of strangers ---------------------------------------------------------------------------------------------
def test_a_stranger_that_asks_too_often_waits_and_no_other_does(
    alpha: Partner, alpha_peer: Peer, settings: LazySettings, admin_client: Client
) -> None:
    assert settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE == 120
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = 2
    assert [get(AGENTS).status_code for _ in range(2)] == [200, 200]

    answer = get(AGENTS)

    assert (answer.status_code, answer.json()["message"]) == (429, "Too many requests")
    assert 0 < int(answer["Retry-After"]) <= 30
    assert get(AGENTS, {"REMOTE_ADDR": "203.0.113.9"}).status_code == 200
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    signed = alpha.headers(b"", path=AGENTS, method="GET") | {"CONTENT_TYPE": "application/json"}
    for _ in range(4):
        assert get(AGENTS, {"HTTP_X_API_KEY": token}).status_code == 200
        assert get(AGENTS, signed).status_code == 200
        assert admin_client.get(AGENTS).status_code == 200


def test_a_proven_peer_has_the_limit_of_its_requests(alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_PEER_REQUESTS_PER_MINUTE = 2
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)

    assert [get(AGENTS, {"HTTP_X_API_KEY": token}).status_code for _ in range(3)] == [200, 200, 429]


def test_a_proof_that_fails_is_counted_as_a_refusal(db: None, settings: LazySettings) -> None:
    settings.FEDHUB_REFUSALS_PER_MINUTE = 2

    assert [get(AGENTS, {"HTTP_X_API_KEY": "wrong"}).status_code for _ in range(3)] == [401, 401, 429]


def test_zero_sets_no_limit_for_strangers(db: None, settings: LazySettings) -> None:
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = 0

    assert {get(AGENTS).status_code for _ in range(130)} == {200}


def test_a_manifest_that_lists_the_peers_has_the_limit_too(alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_STRANGER_REQUESTS_PER_MINUTE = 1
    manifest = "/.well-known/openintent-federation.json"
    assert {get(manifest).status_code for _ in range(3)} == {200}

    settings.FEDHUB_PUBLISH_PEERS = True
    assert [get(manifest).status_code for _ in range(2)] == [200, 429]
