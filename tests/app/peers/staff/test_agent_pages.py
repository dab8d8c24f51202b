from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from peers.models import (
    AgentVisibilityChoice,
    RegisteredAgent,
)
from tests.app.peers.staff.pages import (
    text_of,
    url,
)
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db


def test_staff_set_an_agents_visibility_and_a_recreated_agent_keeps_it(admin: Client, make_agent: MakeAgent) -> None:
    agent = make_agent(None, "triage")
    page = reverse("admin:peers_discoveredagent_changelist")
    assert "the hub&#x27;s default" in text_of(admin, page)

    posted = {"action": "make_unlisted", "_selected_action": [agent.pk]}
    confirmed = admin.post(page, posted).context["digest"]
    admin.post(page, {**posted, "confirmed": confirmed})

    choice = AgentVisibilityChoice.objects.get()
    assert (choice.path, choice.visibility, choice.changed_by_name) == (agent.path, "unlisted", "root")
    agent.delete()
    make_agent(None, "triage")
    seen = {
        visibility: [row.name for row in admin.get(f"{page}?visibility={visibility}").context["cl"].result_list]
        for visibility in ("public", "unlisted", "private")
    }
    assert seen == {"public": [], "unlisted": ["triage"], "private": []}


def test_an_agent_is_registered_by_hand(admin: Client) -> None:
    typed = {"agent_id": "translator", "capabilities": "translate, summarize", "visibility": "unlisted"}
    path = reverse("admin:peers_registeredagent_add")
    admin.post(path, {**typed, "confirmed": admin.post(path, typed).context["digest"]})

    agent = RegisteredAgent.objects.get()
    assert (agent.capabilities, agent.visibility) == (["translate", "summarize"], "unlisted")
    typed = {"capabilities": "translate", "visibility": "public"}
    admin.post(url(agent), {**typed, "confirmed": admin.post(url(agent), typed).context["digest"]})
    agent.refresh_from_db()
    assert (agent.capabilities, agent.visibility) == (["translate"], "public")
