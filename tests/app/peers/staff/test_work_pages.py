"""Received work in the admin: asked for first, answered by hand, and its run; with the rights to each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from core.actors import Actor
from federations.models import A2aAgent, AccessLevel, AgentRun, Federation
from federations.runs.states import RunSource
from federations.services.access import grant
from federations.services.runs.make import Work, make_run
from peers.models import HandlerEvent, Intent, OutboundCallback, Peer, ReceivedDispatch, TakenBy
from peers.services.agent_work.by_hand import NOT_BY_HAND
from peers.services.catalog.work_settings import asks_before_work
from tests.app.peers.staff.conftest import URL
from tests.app.peers.staff.pages import CONFIRMED, text_of, url
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db
BUTTONS = ("answer_work", "refuse_work")


@pytest.fixture
def received(approved: Peer) -> ReceivedDispatch:
    """Work that nothing took."""
    return ReceivedDispatch.objects.create(
        peer=approved, dispatch_id="d-1", body_digest="0", intent=Intent.objects.create(title="Theirs"), accepted=True,
        envelope={}, scope={"permissions": ["state.patch", "events.log"]}, policy={"budget": {"max_llm_tokens": 5}},
        callback_url=f"{URL}/cb", taken_by=TakenBy.STAFF,
    )  # fmt: skip


def last_callback() -> tuple[str, Any, Any]:
    body = json.loads(OutboundCallback.objects.latest("sequence").body)
    return body["event_type"], body["state_delta"], body["attestation"]


# By hand --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("button", "typed", "event", "delta"),
    [
        ("answer_work", {"text": "It is 42."}, "completed", {"status": "done", "answer": "It is 42."}),
        ("refuse_work", {"reason": "not ours"}, "failed", {"status": "failed", "reason": "Refused: not ours"}),
    ],
)
def test_staff_end_work_that_nothing_took(
    staff: Callable[..., Client], received: ReceivedDispatch, button: str, typed: dict[str, str], event: str, delta: Any
) -> None:
    client = staff("view_receiveddispatch", "change_receiveddispatch")
    page = text_of(client, url(received))
    assert "The work waits for staff." in page
    card = client.get(reverse("admin:index")).context["attention"][0]
    assert (card.number, card.title) == (1, "dispatch to answer by hand")
    assert list(client.get(card.href).context["cl"].result_list) == [received]
    assert all(url(received, name) in page for name in BUTTONS)
    client.post(url(received, button), CONFIRMED | typed)
    told, said, attestation = last_callback()
    assert (told, said) == (event, delta)
    assert attestation["usage"] == {"unverified": ["max_llm_tokens"]} and not attestation["governance_compliant"]
    after = text_of(client, url(received))
    assert "The work waits for staff." not in after and url(received, button) not in after
    answer = client.post(url(received, button), CONFIRMED | typed, follow=True)
    assert NOT_BY_HAND in answer.content.decode() and OutboundCallback.objects.count() == 1


@pytest.mark.parametrize("button", BUTTONS)
def test_a_reader_ends_no_work(staff: Callable[..., Client], received: ReceivedDispatch, button: str) -> None:
    client = staff("view_receiveddispatch")
    assert url(received, button) not in text_of(client, url(received))
    assert client.post(url(received, button), CONFIRMED | {"text": "x", "reason": "x"}).status_code == 403
    assert not ReceivedDispatch.objects.get().is_finished


@pytest.mark.parametrize("taken_by", [TakenBy.AGENT, TakenBy.HANDLER])
def test_work_that_a_handler_gave_up_can_be_ended_by_hand(
    admin: Client, received: ReceivedDispatch, taken_by: str
) -> None:
    ReceivedDispatch.objects.update(taken_by=taken_by)
    assert url(received, "answer_work") not in text_of(admin, url(received))
    HandlerEvent.objects.create(
        handler="a.B",
        kind="federation_received",
        source_id=received.pk,
        dispatch_id="d-1",
        dead_at=received.received_at,
    )
    assert url(received, "answer_work") in text_of(admin, url(received))


# The run --------------------------------------------------------------------------------------------------------------
def test_the_run_is_shown_and_named_to_people_who_may_view_its_agent(
    staff: Callable[..., Client], received: ReceivedDispatch, make_agent: MakeAgent, federation: Federation
) -> None:
    work = Work("add", source=RunSource.PEER, source_id=received.peer_id, dispatch_id=received.pk, needs_approval=True)
    ReceivedDispatch.objects.update(taken_by=TakenBy.AGENT)
    make_run(make_agent(federation, "analyst"), work, by=Actor("", URL))
    client = staff("view_receiveddispatch", "change_receiveddispatch")
    page = text_of(client, url(received))
    assert "Waiting for approval" in page and "analyst" not in page and url(received, "answer_work") not in page
    grant(federation, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))
    assert "analyst" in text_of(client, url(received))
    answer = client.post(url(received, "answer_work"), CONFIRMED | {"text": "x"}, follow=True)
    assert NOT_BY_HAND in answer.content.decode()
    assert AgentRun.objects.get().state == "waiting_approval"


# Ask before work ------------------------------------------------------------------------------------------------------
def asks_page(agent: A2aAgent) -> str:
    return reverse("admin:peers_discoveredagent_asks", args=[agent.pk])


def test_staff_turn_asking_off_and_on_on_the_agents_page(admin: Client, make_agent: MakeAgent) -> None:
    agent = make_agent(None, "analyst")
    page = reverse("admin:federations_a2aagent_change", args=[agent.pk])
    assert asks_before_work(None, agent.path) is True
    for confirmed, asks, shown in (
        ("off", False, "begins the work of peers at once"),
        ("on", True, "waits for the approval"),
    ):
        assert asks_page(agent) in text_of(admin, page)
        assert f'name="confirmed" value="{confirmed}"' in text_of(admin, asks_page(agent))
        assert asks_before_work(None, agent.path) is not asks
        after = admin.post(asks_page(agent), {"confirmed": confirmed}, follow=True).content.decode()
        assert shown in after and "Chosen by root" in after
        assert asks_before_work(None, agent.path) is asks


def test_only_people_who_choose_the_visibility_choose_whether_it_asks(
    staff: Callable[..., Client], make_agent: MakeAgent, federation: Federation
) -> None:
    agent = make_agent(federation, "analyst")
    client = staff("view_agentvisibilitychoice")
    ines = User.objects.get(username="ines")
    change = Permission.objects.get(codename="change_agentvisibilitychoice")
    grant(federation, level=AccessLevel.VIEW, user=ines)
    ines.user_permissions.add(Permission.objects.get(codename="view_a2aagent"))
    page = text_of(client, reverse("admin:federations_a2aagent_change", args=[agent.pk]))
    assert "waits for the approval of staff" in page and asks_page(agent) not in page
    assert client.post(asks_page(agent), {"confirmed": "off"}).status_code == 403
    ines.user_permissions.add(change)
    assert client.post(asks_page(agent), {"confirmed": "off"}).status_code == 302
    hidden = make_agent(None, "hidden")
    ines.user_permissions.remove(Permission.objects.get(codename="view_a2aagent"))
    assert client.post(asks_page(hidden), {"confirmed": "off"}).status_code == 404
    assert asks_before_work(None, hidden.path) is True
