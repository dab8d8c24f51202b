"""Visible agents: public ones for unknown callers, unlisted ones too for approved peers, private ones for none."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.conf import LazySettings

from core.actors import Actor
from core.errors import InvalidRequestError
from federations.models import Federation
from peers.models import AgentVisibilityChoice, Peer, PeerState, RegisteredAgent
from peers.protocol import AgentVisibility
from peers.services.catalog.agents import (
    find_visible_agent,
    register_agent,
    set_visibility,
    visibility_of,
    visible_agents,
)
from tests.conftest import MakeAgent, MakeServer
from tests.pure.agentcore.cards import OWN
from tests.stores.counting import counted_queries, more_rows_than_parameters

pytestmark = pytest.mark.django_db

OPERATOR = Actor(id="1", name="operator")
VISIBILITIES = ("public", "unlisted", "private")


def peer_in(state: str) -> Peer:
    return Peer.objects.create(server_url=f"https://{state}.example.org", state=state)


def ids(peer: Peer | None) -> list[str]:
    found = [agent.agent_id for agent in visible_agents(peer)]
    everything = [row.agent_id for row in RegisteredAgent.objects.all()] + list(VISIBILITIES)
    assert set(found) == {agent_id for agent_id in everything if find_visible_agent(agent_id, peer)}
    return found


def test_an_agents_own_address_is_not_handed_to_a_peer(federation: Federation, make_agent: MakeAgent) -> None:
    odd: list[Any] = [{"id": "sum", "name": "Sum", "url": OWN}, {"id": ["x"]}, "text", None]
    agent = make_agent(federation, "own", card={"url": OWN, "supportedInterfaces": [{"url": OWN}]}, skills=odd)
    set_visibility(federation.id, agent.path, "public", by=OPERATOR)
    (shown,) = visible_agents(None)
    assert shown.capabilities == ["sum"]
    assert OWN not in str(shown.to_dict())


@pytest.fixture
def three(federation: Federation, make_agent: MakeAgent) -> None:
    """Three discovered agents, one of each visibility, with the visibility as name."""
    for visibility in VISIBILITIES:
        agent = make_agent(federation, visibility)
        set_visibility(federation.id, agent.path, visibility, by=OPERATOR)


@pytest.mark.parametrize("default", VISIBILITIES)
@pytest.mark.usefixtures("three")
def test_an_approved_peer_sees_unlisted_agents_and_other_callers_only_public_ones(
    default: str, settings: LazySettings
) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = default
    assert ids(None) == ["public"]
    for state in PeerState.values:
        expected = ["public", "unlisted"] if state == "approved" else ["public"]
        assert ids(peer_in(state)) == expected, state


@pytest.mark.usefixtures("three")
def test_under_policy_trustless_an_approved_peer_sees_public_agents_alone(settings: LazySettings) -> None:
    settings.FEDHUB_TRUST_POLICY = "trustless"
    assert ids(peer_in("approved")) == ["public"]


@pytest.mark.usefixtures("three")
def test_while_federation_is_disabled_no_agent_is_visible(settings: LazySettings) -> None:
    settings.FEDHUB_ENABLED = False
    assert ids(None) == ids(peer_in("approved")) == []


@pytest.mark.parametrize(("default", "peer"), list(itertools.product(VISIBILITIES, [None, "approved"])))
def test_an_agent_without_a_choice_of_staff_has_the_default_visibility(
    default: str, peer: str | None, settings: LazySettings, federation: Federation, make_agent: MakeAgent
) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = default
    make_agent(federation, "unchosen")
    make_agent(None, "unfederated")
    seen = default == "public" or (default == "unlisted" and peer is not None)
    who = peer_in(peer) if peer else None
    assert [agent.agent_id for agent in visible_agents(who)] == (["unchosen", "unfederated"] if seen else [])
    assert (find_visible_agent("unchosen", who) is not None) == seen
    assert {agent.visibility for agent in visible_agents(who)} <= {AgentVisibility(default)}


def test_agents_are_private_unless_a_setting_says_otherwise(settings: LazySettings) -> None:
    assert settings.FEDHUB_VISIBILITY_DEFAULT == "private"


def test_a_recreated_agent_keeps_its_visibility_but_not_in_another_federation(
    federation: Federation, make_agent: MakeAgent
) -> None:
    agent = make_agent(federation, "phoenix")
    set_visibility(federation.id, agent.path, "public", by=OPERATOR)
    agent.delete()
    assert visible_agents(None) == []
    again = make_agent(federation, "phoenix")
    assert [found.agent_id for found in visible_agents(None)] == ["phoenix"]
    assert find_visible_agent("phoenix", None) is not None
    again.delete()
    make_agent(None, "phoenix")
    assert visible_agents(None) == []
    assert find_visible_agent("phoenix", None) is None


def test_a_choice_is_one_row_that_names_who_made_it_last() -> None:
    set_visibility("f" * 24, "/agentcore/a2a/demo", "public", by=OPERATOR)
    row = set_visibility("f" * 24, "/agentcore/a2a/demo", AgentVisibility.PRIVATE, by=Actor(id="2", name="jonas"))
    assert AgentVisibilityChoice.objects.get() == row
    assert (row.visibility, row.changed_by_name) == ("private", "jonas")
    assert visibility_of("f" * 24, "/agentcore/a2a/demo") == AgentVisibility.PRIVATE
    with pytest.raises(InvalidRequestError, match="visibility: must be one of public, unlisted, private"):
        set_visibility("f" * 24, "/agentcore/a2a/demo", "secret", by=OPERATOR)


def test_an_agent_is_shown_by_its_slug_with_its_skills_and_whether_it_is_ready(
    federation: Federation, make_agent: MakeAgent, settings: LazySettings
) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = "public"
    settings.FEDHUB_SERVER_URL = "https://hub.example.com"
    make_agent(federation, "analyst")
    make_agent(federation, "broken", status="UPDATE_FAILED", skills=[{"name": "Only a name"}, "text", {"id": 7}, None])
    make_agent(federation, "odd", skills={"not": "a list"})
    analyst, broken, odd = visible_agents(None)
    assert analyst.to_dict() == {
        "agent_id": "analyst",
        "server_url": "https://hub.example.com",
        "capabilities": ["sum"],
        "visibility": "public",
        "server_did": "did:web:hub.example.com",
        "status": "active",
    }
    assert (broken.status, broken.capabilities) == ("inactive", ["Only a name"])
    assert odd.capabilities == []


def test_an_mcp_server_is_not_an_agent(federation: Federation, make_server: MakeServer, settings: LazySettings) -> None:
    settings.FEDHUB_VISIBILITY_DEFAULT = "public"
    make_server(federation, "tools")
    assert visible_agents(None) == []
    assert find_visible_agent("tools", None) is None


def test_a_registered_agent_is_public_unless_told_otherwise_and_hides_a_discovered_one(make_agent: MakeAgent) -> None:
    agent = make_agent(None, "helper-agent")
    set_visibility("", agent.path, "public", by=OPERATOR)
    assert register_agent("helper-agent", capabilities=["translate"]).visibility == AgentVisibility.PUBLIC
    (shown,) = visible_agents(None)
    assert shown.capabilities == ["translate"]
    register_agent("helper-agent", visibility="private")
    assert ids(None) == ids(peer_in("approved")) == []
    assert RegisteredAgent.objects.count() == 1


@pytest.mark.parametrize("agent_id", ["", "x" * 256, "a\nb", "a\x00b"])
def test_an_agent_id_is_short_and_printable(agent_id: str) -> None:
    with pytest.raises(InvalidRequestError, match="agent_id: must be"):
        register_agent(agent_id)
    assert find_visible_agent(agent_id, None) is None


@pytest.mark.parametrize("agent_id", ["%", "_", "../a2a/public", "PUBLIC", "public/", "x" * 10_000, "\ud800"])
@pytest.mark.usefixtures("three")
def test_another_id_finds_no_agent(agent_id: str) -> None:
    assert find_visible_agent(agent_id, peer_in("approved")) is None


def test_more_agents_are_chosen_than_a_statement_has_parameters(make_agent: MakeAgent) -> None:
    first, last = make_agent(None, "a-first"), make_agent(None, "z-last")
    chosen = [f"/agentcore/a2a/n-{number:05}" for number in range(more_rows_than_parameters())]
    AgentVisibilityChoice.objects.bulk_create(
        (AgentVisibilityChoice(path=path, visibility="public") for path in (first.path, *chosen, last.path)),
        batch_size=1000,
    )
    assert [agent.agent_id for agent in visible_agents(None)] == ["a-first", "z-last"]


def test_a_list_of_any_length_takes_as_many_queries(make_agent: MakeAgent, settings: LazySettings) -> None:
    counts = []
    for size in (1, 20):
        for number in range(size):
            set_visibility("", make_agent(None, f"agent-{size}-{number}").path, "public", by=OPERATOR)
        with counted_queries() as queries:
            assert visible_agents(None)
        counts.append(len(queries))
    assert counts == [4, 4]
