"""Visibility in the admin: the confirmation that names agents and readers, its undo, and the view as another hub."""

from __future__ import annotations

import html
import json
import re

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from core.actors import Actor
from federations.models import A2aAgent, AccessLevel, Federation
from federations.services.access import grant
from peers.models import AgentVisibilityChoice, Peer, RegisteredAgent
from peers.services.catalog.agents import visibility_of
from peers.services.catalog.work_settings import asks_before_work, set_asks_before_work
from tests.app.peers.staff.pages import queries_of
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db

LISTS = [reverse("admin:federations_a2aagent_changelist"), reverse("admin:peers_discoveredagent_changelist")]


def text_of(client: Client, path: str) -> str:
    return html.unescape(client.get(path).content.decode())


def page_of(agent: A2aAgent, name: str = "") -> str:
    if name:
        return reverse(f"admin:peers_discoveredagent_{name}", args=[agent.pk])
    return reverse("admin:federations_a2aagent_change", args=[agent.pk])


def confirm(client: Client, path: str, asked: str) -> str:
    """Post the form of a confirmation page as a browser does, and return the text of the page after it."""
    typed: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked):
        typed.setdefault(name, []).append(html.unescape(value))
    typed.pop("csrfmiddlewaretoken", None)
    return html.unescape(client.post(path, typed, follow=True).content.decode())


def shown(agent: A2aAgent) -> str:
    return visibility_of(agent.federation_id, agent.path).value


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("across", ["0", "1"])
def test_agents_of_a_list_become_public_only_after_a_page_that_names_them_and_their_readers(
    admin: Client, make_agent: MakeAgent, path: str, across: str
) -> None:
    agents = [make_agent(None, f"triage-{number:02}") for number in range(25)]
    ticked = [agent.pk for agent in (agents if across == "0" else agents[:1])]

    asked = admin.post(
        f"{path}?q=triage", {"action": "make_public", "select_across": across, "_selected_action": ticked}
    )

    text = html.unescape(asked.content.decode())
    assert not AgentVisibilityChoice.objects.exists()
    assert "25 agents" in text and "Everyone who reaches this hub" in text
    assert "triage-19" in text and "triage-20" not in text and "and 5 more" in text
    after = confirm(admin, f"{path}?q=triage", asked.content.decode())
    assert "25 agents public from now on: everyone sees them." in after
    assert {shown(agent) for agent in agents} == {"public"}


def test_a_change_is_undone_by_the_link_of_its_message_to_what_was_before(admin: Client, make_agent: MakeAgent) -> None:
    kept, hidden, fresh = (make_agent(None, name) for name in ("kept", "hidden", "fresh"))
    for agent, visibility in ((kept, "public"), (hidden, "unlisted")):
        AgentVisibilityChoice.objects.create(path=agent.path, visibility=visibility, changed_by_name="ines")
    posted = {"action": "make_public", "_selected_action": [kept.pk, hidden.pk, fresh.pk]}
    asked = admin.post(LISTS[0], posted).content.decode()
    assert "1 agent already so." in asked
    after = confirm(admin, LISTS[0], asked)
    (undo,) = re.findall(r'href="([^"]+/undo/[^"]+)"', after)

    asked = admin.get(undo).content.decode()
    assert "2 agents" in asked and "kept" not in asked
    assert {shown(agent) for agent in (kept, hidden, fresh)} == {"public"}
    assert "2 agents back to the visibility before." in confirm(admin, undo, asked)

    assert [shown(agent) for agent in (kept, hidden, fresh)] == ["public", "unlisted", "private"]
    assert "There is nothing to undo" in text_of_redirect(admin, undo)


def text_of_redirect(client: Client, path: str) -> str:
    return html.unescape(client.get(path, follow=True).content.decode())


def test_an_undo_leaves_an_agent_that_staff_changed_since_then(admin: Client, make_agent: MakeAgent) -> None:
    one, two = make_agent(None, "one"), make_agent(None, "two")
    asked = admin.post(LISTS[0], {"action": "make_public", "_selected_action": [one.pk, two.pk]}).content.decode()
    (undo,) = re.findall(r'href="([^"]+/undo/[^"]+)"', confirm(admin, LISTS[0], asked))
    confirm(admin, page_of(two, "make_unlisted"), admin.get(page_of(two, "make_unlisted")).content.decode())

    confirm(admin, undo, admin.get(undo).content.decode())

    assert (shown(one), shown(two)) == ("private", "unlisted")


def test_a_confirmation_of_other_agents_than_shown_asks_again(admin: Client, make_agent: MakeAgent) -> None:
    agent = make_agent(None, "triage")
    posted = {"action": "make_public", "select_across": "1", "_selected_action": [agent.pk]}
    asked = admin.post(LISTS[0], posted).content.decode()
    make_agent(None, "just-synced")

    again = confirm(admin, LISTS[0], asked)

    assert "changed since this page was opened" in again and "just-synced" in again
    assert not AgentVisibilityChoice.objects.exists()
    confirm(admin, LISTS[0], again)
    assert AgentVisibilityChoice.objects.count() == 2


def test_an_agents_page_shows_its_visibility_and_names_the_peers_that_see_it(
    admin: Client, make_agent: MakeAgent, approved: Peer
) -> None:
    agent = make_agent(None, "triage")
    text = text_of(admin, page_of(agent))
    assert "The hub's default; staff have not chosen." in text and page_of(agent, "make_public") in text

    asked = admin.get(page_of(agent, "make_unlisted")).content.decode()
    assert "1 approved peer." in asked and approved.server_url in asked
    after = confirm(admin, page_of(agent, "make_unlisted"), asked)

    assert "Chosen by root" in after and "1 approved peer." in after
    assert page_of(agent, "make_private") in after and page_of(agent, "make_unlisted") not in after
    assert [row.name for row in listed(admin, "unlisted")] == ["triage"]
    assert listed(admin, "public") == []


def listed(client: Client, visibility: str) -> list[A2aAgent]:
    return list(client.get(LISTS[0], {"visibility": visibility}).context["cl"].result_list)


@pytest.mark.parametrize(
    ("visibility", "caller", "policy", "why"),
    [
        ("public", "anyone", "allowlist", ""),
        ("unlisted", "approved", "allowlist", ""),
        ("unlisted", "anyone", "allowlist", "only approved peers see it."),
        ("unlisted", "suspended", "allowlist", "This peer is suspended."),
        ("unlisted", "approved", "trustless", "peers see public agents alone."),
        ("private", "approved", "allowlist", "The agent is private"),
    ],
)
def test_an_agent_seen_as_a_peer_is_what_the_peers_answer_holds(
    admin: Client, make_agent: MakeAgent, settings: LazySettings, visibility: str, caller: str, policy: str, why: str
) -> None:
    settings.FEDHUB_TRUST_POLICY = policy
    agent = make_agent(None, "triage")
    make_agent(None, "other")
    AgentVisibilityChoice.objects.create(path=agent.path, visibility=visibility)
    peer = Peer.objects.create(
        server_url="https://clinic.example.org", state="approved" if caller == "anyone" else caller
    )

    response = admin.get(page_of(agent, "seen_as"), {"peer": caller if caller == "anyone" else peer.pk})

    text = html.unescape(response.content.decode())
    if why:
        assert "gets nothing of this agent." in text and why in text
    else:
        seen = json.loads(response.context["answer"])
        assert seen["agent_id"] == "triage" and seen["visibility"] == visibility
        public = Client().get("/api/v1/federation/agents").json()["agents"]
        assert public == ([seen] if visibility == "public" else [])


def test_a_registered_agent_that_hides_the_discovered_one_is_named(admin: Client, make_agent: MakeAgent) -> None:
    agent = make_agent(None, "triage")
    RegisteredAgent.objects.create(agent_id="triage", capabilities=["by-hand"], visibility="public")

    response = admin.get(page_of(agent, "seen_as"), {"peer": "anyone"})

    assert json.loads(response.context["answer"])["capabilities"] == ["by-hand"]
    assert "It hides this agent" in response.content.decode()
    assert "has the same id" in text_of(admin, page_of(agent))


def test_only_staff_with_the_permission_see_and_choose_the_visibility(
    federation: Federation, make_agent: MakeAgent, approved: Peer
) -> None:
    agent, far = make_agent(federation, "triage"), make_agent(None, "far")
    ines = User.objects.create_user("ines", is_staff=True)
    grant(federation, level=AccessLevel.VIEW, user=ines)
    client = Client()
    client.force_login(ines)

    def allow(*codenames: str) -> None:
        ines.user_permissions.set(Permission.objects.filter(content_type__app_label="peers", codename__in=codenames))

    post = {"action": "make_public", "_selected_action": [agent.pk]}
    for path in (LISTS[0], page_of(agent)):
        assert "isibility" not in text_of(client, path)
    assert client.get(LISTS[0], {"visibility": "private"}).status_code == 302
    for name in ("make_public", "seen_as"):
        assert client.get(page_of(agent, name)).status_code == 403

    allow("view_agentvisibilitychoice")
    assert "column-visibility" in text_of(client, LISTS[0])
    text = text_of(client, page_of(agent))
    assert "Visibility for other hubs" in text
    assert page_of(agent, "make_public") not in text and approved.server_url not in text
    assert "make_public" not in text_of(client, LISTS[0])
    client.post(LISTS[0], post)
    assert client.get(page_of(agent, "make_public")).status_code == 403
    assert client.get(page_of(far, "seen_as")).status_code == 404

    allow("view_agentvisibilitychoice", "change_agentvisibilitychoice")
    asked = client.get(page_of(agent, "make_unlisted")).content.decode()
    assert "Approved peers." in asked and approved.server_url not in asked
    assert client.get(page_of(far, "make_public")).status_code == 404
    assert not AgentVisibilityChoice.objects.exists()


def test_the_list_of_agents_reads_the_visibility_of_a_page_at_once(admin: Client, make_agent: MakeAgent) -> None:
    make_agent(None, "one")
    few = queries_of(admin, LISTS[0])
    for number in range(5):
        make_agent(None, f"more-{number}")
    assert queries_of(admin, LISTS[0]) == few


def test_the_list_says_of_each_agent_who_sees_it_and_whether_work_waits(admin: Client, make_agent: MakeAgent) -> None:
    asks, starts, other = (make_agent(None, name) for name in ("asks", "starts", "other"))
    set_asks_before_work(None, starts.path, False, by=Actor("", "ines"))
    list_page = LISTS[1]

    text = " ".join(text_of(admin, list_page).split())
    assert text.count("Other hubs do not see it</p>") == 3
    assert " 3 agents </div>" in text
    assert (text.count("waits for approval"), text.count("begins at once")) == (2, 1)

    posted = {"action": "start_without_asking", "_selected_action": [asks.pk, starts.pk]}
    asked = html.unescape(admin.post(list_page, posted).content.decode())
    assert "begin the work of peers without a person" in asked and "other" not in asked.partition("<ul")[2][:400]
    assert asks_before_work(None, asks.path)
    after = confirm(admin, list_page, asked)
    assert "Work of peers for 2 agents begins at once from now on." in after
    assert [asks_before_work(None, agent.path) for agent in (asks, starts, other)] == [False, False, True]
    admin.post(list_page, {**posted, "action": "ask_before_work", "confirmed": "1"})
    assert asks_before_work(None, asks.path) and asks_before_work(None, starts.path)


def test_a_registered_agent_gets_more_readers_only_after_a_confirmation(admin: Client, approved: Peer) -> None:
    path = reverse("admin:peers_registeredagent_add")
    typed = {"agent_id": "clerk", "name": "Clerk", "description": "Answers for claims.", "capabilities": "sum, sort"}

    asked = admin.post(path, {**typed, "visibility": "unlisted", "_save": "Save"}).content.decode()

    assert not RegisteredAgent.objects.exists() and approved.server_url in asked
    text = confirm(admin, path, asked)
    agent = RegisteredAgent.objects.get()
    assert (agent.name, agent.capabilities, agent.visibility) == ("Clerk", ["sum", "sort"], "unlisted")
    assert "Clerk" in text and "Answers for claims." in text and "sort" in text
    own = reverse("admin:peers_registeredagent_change", args=[agent.pk])
    admin.post(own, {**typed, "visibility": "private"})
    agent.refresh_from_db()
    assert agent.visibility == "private"
    asked = admin.post(own, {**typed, "visibility": "public"}).content.decode()
    agent.refresh_from_db()
    assert agent.visibility == "private"
    tampered = asked.replace('value="Answers for claims."', 'value="Other words."')
    assert "changed since" in confirm(admin, own, tampered)
