"""The one word for how received work stands, on its list, its page and the page of its intent, and the list's tabs."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connections
from django.test import Client
from django.urls import reverse

from core.actors import Actor
from core.store.unit_of_work import REGISTRY
from federations.models import AgentRun, Federation
from federations.runs.states import RunSource
from federations.services.runs.decide import cancel_run, refuse_run
from federations.services.runs.make import Work, make_run
from peers.admin.work.outcome import outcome_of
from peers.models import Intent, JournalEntry, Peer, ReceivedDispatch, TakenBy
from peers.services.agent_work.by_hand import answer_by_hand, refuse_by_hand
from peers.services.inbox.work_progress import fail
from tests.app.peers.staff.conftest import OPERATOR, URL
from tests.app.peers.staff.pages import text_of, url
from tests.conftest import MakeAgent

pytestmark = pytest.mark.django_db
LIST = reverse("admin:peers_receiveddispatch_changelist")
TABS = ("waits", "under_way", "completed", "failed", "cancelled", "refused")


def work(peer: Peer, number: str, taken_by: TakenBy) -> ReceivedDispatch:
    return ReceivedDispatch.objects.create(
        peer=peer, dispatch_id=f"d-{number}", body_digest="0", accepted=True, envelope={}, taken_by=taken_by,
        intent=Intent.objects.create(title=number, is_received=True),
    )  # fmt: skip


@pytest.fixture
def standing(approved: Peer, make_agent: MakeAgent, federation: Federation) -> dict[str, ReceivedDispatch]:
    """Work in every state, by its title."""
    agent = make_agent(federation, "analyst")

    def by_agent(number: str, *, waits: bool) -> tuple[ReceivedDispatch, AgentRun]:
        row = work(approved, number, TakenBy.AGENT)
        ordered = Work(
            "add", source=RunSource.PEER, source_id=approved.pk, dispatch_id=row.pk, needs_approval=waits,
            request_key=number,
        )  # fmt: skip
        return row, make_run(agent, ordered, by=Actor("", URL))

    rows = {name: work(approved, name, TakenBy.STAFF) for name in ("by hand", "answered", "declined", "broken")}
    answer_by_hand(rows["answered"].pk, text="42", by=OPERATOR)
    refuse_by_hand(rows["declined"].pk, reason="not ours", by=OPERATOR)
    fail(rows["broken"].pk, reason="no ledger", usage={})
    rows["to approve"], _ = by_agent("to approve", waits=True)
    rows["queued"], _ = by_agent("queued", waits=False)
    rows["refused run"], refused = by_agent("refused run", waits=True)
    refuse_run(refused, reason="not now", by=OPERATOR)
    rows["stopped"], stopped = by_agent("stopped", waits=False)
    cancel_run(stopped, by=OPERATOR, reason="the agent was deleted")
    rows["over budget"] = ReceivedDispatch.objects.create(
        peer=approved, dispatch_id="d-b", body_digest="0", accepted=False, envelope={"intent_title": "over budget"},
        is_finished=True, message="Rejected: spent",
    )  # fmt: skip
    return rows


def test_each_row_stands_behind_the_tab_of_its_word(admin: Client, standing: dict[str, ReceivedDispatch]) -> None:
    expected = {
        "waits": {"by hand", "to approve"}, "under_way": {"queued"}, "completed": {"answered"}, "failed": {"broken"},
        "cancelled": {"stopped"}, "refused": {"declined", "refused run", "over budget"},
    }  # fmt: skip
    named = {row.pk: name for name, row in standing.items()}
    for tab in TABS:
        page = admin.get(f"{LIST}?tab={tab}")
        assert {named[row.pk] for row in page.context["cl"].result_list} == expected[tab], tab
        shown = next(each for each in page.context["cl"].shown_tabs if each.is_current)
        assert shown.count == len(expected[tab])
        words = {outcome_of(row, waits=row.waits) for row in page.context["cl"].result_list}
        assert words == {shown.title} and shown.title in page.content.decode()
        for name in expected[tab]:
            assert shown.title in text_of(admin, url(standing[name]))
            if (intent := standing[name].intent) is not None:
                assert shown.title in text_of(admin, url(intent))


def test_the_list_and_its_file_say_why_work_ended(admin: Client, standing: dict[str, ReceivedDispatch]) -> None:
    page = text_of(admin, LIST)
    for reason in ("not ours", "not now", "no ledger", "the agent was deleted", "Rejected: spent"):
        assert reason in page
    assert "Refused: not" not in page
    lines = {line.text for line in JournalEntry.objects.filter(text__startswith="Work ")}
    assert lines == {
        "Work completed", "Work refused: not ours", "Work failed: no ledger", "Work refused: not now",
        "Work cancelled: the agent was deleted",
    }  # fmt: skip


def test_the_list_leads_to_the_messages_that_the_hub_did_not_store(admin: Client, approved: Peer) -> None:
    line = JournalEntry.objects.create(kind="refused", text="Refused: NotFoundError", peer_url=URL)
    JournalEntry.objects.create(kind="peer", text="approved", peer_url=URL)
    button = reverse("admin:peers_receiveddispatch_refused_messages")
    assert button in text_of(admin, LIST)
    found = admin.get(button, follow=True)
    assert [row.pk for row in found.context["cl"].result_list] == [line.pk]


def test_the_migration_fills_in_how_earlier_work_ended(standing: dict[str, ReceivedDispatch]) -> None:
    known = dict(ReceivedDispatch.objects.values_list("dispatch_id", "outcome"))
    ReceivedDispatch.objects.update(outcome="")
    migration = import_module("peers.migrations.0021_outcomes_of_ended_work")
    migration.fill(apps, connections[REGISTRY].SchemaEditorClass(connections[REGISTRY]))
    filled = dict(ReceivedDispatch.objects.values_list("dispatch_id", "outcome"))
    # Earlier intents do not tell that work was stopped.
    assert filled == known | {standing["stopped"].dispatch_id: "failed"}
