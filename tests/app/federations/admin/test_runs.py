"""The pages of runs: the time line, what follows an unfinished run, giving work, decisions, and who may do which."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.actors import Actor
from federations.admin.run_labels import run_title
from federations.models import A2aAgent, AccessLevel, AgentRun, AgentRunEvent, Federation
from federations.runs.message import work_text
from federations.runs.progress import Ending, NewEvent
from federations.runs.states import EventKind, RunSource, RunState
from federations.services.access import grant
from federations.services.federations import set_enabled
from federations.services.runs.cancel_many import cancel_runs_of_federation
from federations.services.runs.decide import answer_run, cancel_run
from federations.services.runs.make import WAIT, Work, make_run
from federations.services.runs.write import end_values, ended_event, write_run
from peers.models import Peer, ReceivedDispatch
from tests.app.federations.admin.cloud import STAFF, federation
from tests.conftest import MakeAgent
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:federations_agentrun_changelist")
INDEX = reverse("admin:index")
ADA = Actor("7", "ada")
# What a dialog sends with its fields.
CONFIRMED = {"_form_submitted": "True"}
FORMS: dict[str, dict[str, str]] = {
    "approve_run": {},
    "refuse_run": {"reason": "Not in scope"},
    "answer_run": {"text": "Python 3.11", "number": "0"},
    "cancel_run": {"reason": "Too late"},
}


@pytest.fixture
def agent(make_agent: MakeAgent, cloud: object) -> A2aAgent:
    return make_agent(federation(), "reviewer")


def page(row: AgentRun | A2aAgent, name: str = "change", *more: object) -> str:
    return reverse(f"admin:federations_{type(row).__name__.lower()}_{name}", args=[row.pk, *more])


def text_of(client: Client, path: str, query: dict[str, str] | None = None) -> str:
    response = client.get(path, query)
    assert response.status_code in (200, 286), path
    return response.content.decode()


def give(agent: A2aAgent, text: str = "Review print(1)", **work: Any) -> AgentRun:
    return make_run(agent, Work(text, **work), by=ADA)


def of_peer(agent: A2aAgent, **work: Any) -> AgentRun:
    sent = Work("Secret work", source=RunSource.PEER, source_id="p-1", dispatch_id="d-1", needs_approval=True, **work)
    return make_run(agent, sent, by=Actor("", "Partner"))


def write(run: AgentRun, *events: tuple[EventKind, dict[str, Any]], **values: Any) -> AgentRun:
    return write_run(run.id, events=[NewEvent(kind, payload) for kind, payload in events], **values)


def start(run: AgentRun, *events: tuple[EventKind, dict[str, Any]]) -> AgentRun:
    now = timezone.now()
    return write(run, *events, state="running", started_at=now, working_since=now, sends=1)


def ask(run: AgentRun, question: str = "Which version?") -> AgentRun:
    started = start(run) if run.state == RunState.QUEUED else run
    asked = (EventKind.INPUT_REQUIRED, {"question": question, "state": "input-required"})
    due = timezone.now() + WAIT
    return write(started, asked, state="input_required", question=question, due_at=due, working_since=None)


def end(run: AgentRun, state: str = "completed", error: str = "", **values: Any) -> AgentRun:
    ending = Ending(RunState(state), error)
    return write_run(run.id, events=[ended_event(ending)], **(end_values(ending, timezone.now()) | values))


# The page of a run ---------------------------------------------------------------------------------------------------
def test_the_page_tells_the_whole_story_in_order(admin: Client, agent: A2aAgent) -> None:
    parts = [{"text": "line one\nline two"}, {"data": {"risk": {"level": "low"}}}]
    run = start(give(agent, data={"month": "May"}), (EventKind.SENT, {"messageId": "m", "sends": 1}))
    write(run, (EventKind.WORKING, {"taskId": "task-9"}), (EventKind.MESSAGE, {"text": "I read it"}))
    write(run, (EventKind.BUDGET_WARNING, {"limit": "max_llm_tokens", "used": 900, "bound": 1100}))
    write(
        run, (EventKind.ARTIFACT, {"id": "a", "name": "report", "parts": parts, "digest": "sha256:x"}), task_id="task-9"
    )
    usage = {"seconds": 4.0, "requests": 2, "sends": 1, "llm_tokens": 1200}
    kept = {"id": "b", "name": "dump", "size": 70_000, "digest": "sha256:abc"}
    answer = {"text": "All is well", "artifacts": [{"id": "a", "name": "report", "parts": parts}, kept]}
    end(run, usage=usage, answer=answer)

    text = text_of(admin, page(run)).partition('id="run-heading"')[2]

    story = ("All is well", "line one", "70,000 bytes were too large to keep", "ada gives the work", "Review print(1)")
    places = [
        text.index(each)
        for each in (*story, "The agent begins", "I read it", "limit on LLM tokens", "artifact report", "1,200")
    ]
    assert places == sorted(places)
    assert "Completed" in text and "level" in text and "task-9" in text and 'hx-trigger="every' not in text
    answered = admin.get(page(run, "answer_file"))
    assert answered.json() == answer and answered.headers["Content-Disposition"].startswith("attachment")


def test_a_poll_appends_new_events_and_brings_the_state_only_if_it_is_new(admin: Client, agent: A2aAgent) -> None:
    run = start(give(agent), (EventKind.SENT, {"messageId": "m", "sends": 1}))
    shown = text_of(admin, page(run))
    assert 'hx-trigger="every 2s' in shown and 'name="after" value="1"' in shown and "Reload this page" in shown
    write(run, (EventKind.MESSAGE, {"text": "half done"}))
    live = admin.get(page(run, "live"), {"seen": "running-0-0", "after": "1"})
    text = live.content.decode()
    assert live.status_code == 200 and "half done" in text and 'hx-swap-oob="beforeend"' in text
    assert 'value="2"' in text and 'id="run-buttons"' not in text
    assert "half done" not in text_of(admin, page(run, "live"), {"seen": "running-0-0", "after": "2"})

    end(run, answer={"text": "ready", "artifacts": []})
    live = admin.get(page(run, "live"), {"seen": "running-0-0", "after": "2"})
    text = live.content.decode()
    assert live.status_code == 286 and "ready" in text and "Completed" in text and page(run, "cancel_run") not in text
    rows = admin.get(reverse("admin:federations_agentrun_live_rows"), {"run": run.pk})
    assert rows.status_code == 286 and "Completed" in rows.content.decode()


def test_what_agents_say_is_escaped_bounded_and_never_a_link(admin: Client, agent: A2aAgent) -> None:
    evil = '<script>alert(1)</script>\u202egnp.exe <a href="javascript:alert(1)">x</a>'
    deep: Any = evil
    for _ in range(31):
        deep = {evil: deep}
    parts = [{"text": evil}, {"data": deep}, {"url": "javascript:alert(1)", "filename": evil}, {"raw": "AAAA"}]
    run = start(give(agent, evil, data={"a": deep}))
    write(run, (EventKind.MESSAGE, {"text": evil, "parts": parts}), (EventKind.WORKING, {"taskId": evil}))
    large = {"id": "l", "name": evil, "parts": [{"data": {f"k{number}": "x" * 50 for number in range(1000)}}]}
    write(run, *((EventKind.ARTIFACT, {**large, "id": str(number)}) for number in range(120)))
    end(
        ask(AgentRun.objects.get(), evil),
        "failed",
        f"the agent failed: {evil}",
        answer={"text": evil * 3000, "artifacts": [large] * 150},
    )

    response = admin.get(page(run))
    text = response.content.decode()

    assert "<script>alert" not in text and 'href="javascript' not in text and "\u202e" not in text
    assert "\\u202e" in text and len(response.content) < 600_000
    assert "?before=" in text and page(run, "event", 50) in text and "longer than a page shows" in text
    assert "I read" not in text_of(admin, f"{page(run)}?before=30") and "Newest events" in text_of(
        admin, f"{page(run)}?before=30"
    )
    for path in (page(run, "event", 50), page(run, "artifact", 0)):
        assert "k199" in text_of(admin, path) and "<script>" not in text_of(admin, path)
    assert admin.get(page(run, "artifact", 900)).status_code == admin.get(page(run, "event", 900)).status_code == 404


def test_a_run_is_called_by_the_title_of_its_work_without_the_description(admin: Client, agent: A2aAgent) -> None:
    for text in (work_text("Claim 2", "Score 2"), "\n  One  line\nand another", "Plain"):
        give(agent, text)
    rows = admin.get(reverse("admin:federations_agentrun_changelist")).context["cl"].result_list
    assert sorted(map(run_title, rows)) == ["Claim 2", "One line", "Plain"]


def test_the_last_artifacts_are_open_and_names_that_repeat_are_numbered(admin: Client, agent: A2aAgent) -> None:
    run = start(give(agent))
    named = [*["note"] * 6, "sum"]
    listed = [{"id": str(place), "name": name, "parts": [{"text": "text " * 20}]} for place, name in enumerate(named)]
    end(run, answer={"artifacts": listed})
    shown = admin.get(page(run)).context["answer"]["artifacts"]
    assert [each["name"] for each in shown] == [*(f"note, {number} of 6" for number in range(1, 7)), "sum"]
    assert [each["is_open"] for each in shown] == [False, False, True, True, True, True, True]

    many = [{"parts": [{"text": "word " * 9_000}]}] * 102
    AgentRun.objects.filter(pk=run.pk).update(answer={"artifacts": many})
    shown = admin.get(page(run)).context["answer"]["artifacts"]
    assert (len(shown), shown[0]["name"], shown[-1]["name"]) == (100, "Artifact 3", "Artifact 102")


def test_an_error_says_what_to_do_and_a_second_send_is_explained(admin: Client, agent: A2aAgent) -> None:
    run = end(start(give(agent)), "failed", "the agent no longer knows the task")
    AgentRun.objects.filter(pk=run.pk).update(sends=2)
    text = text_of(admin, page(run))
    assert "the agent no longer knows the task" in text and "Give the work again, and ask the agent" in text
    assert "The message was sent more than once." in text
    assert f"{page(agent, 'try_it')}?like={run.pk}" in text
    # An answer to a question is a message of its own.
    answered = answer_run(ask(give(agent, "other")), text="3.11", by=ADA)
    AgentRun.objects.filter(pk=answered.pk).update(sends=2)
    assert "more than once" not in text_of(admin, page(answered))


# Try it --------------------------------------------------------------------------------------------------------------
def nonce_of(client: Client, agent: A2aAgent) -> str:
    return str(client.get(page(agent, "try_it")).context["form"].initial["nonce"])


def test_try_it_makes_one_run_and_leads_to_its_page(admin: Client, agent: A2aAgent) -> None:
    assert page(agent, "try_it") in text_of(admin, page(agent))
    form = {"text": "  Add 2 and 40\n", "data": '{"month": "May"}', "nonce": nonce_of(admin, agent)}
    first, second = (admin.post(page(agent, "try_it"), form) for _ in range(2))
    run = AgentRun.objects.get()
    assert first.headers["Location"] == second.headers["Location"] == page(run)
    assert (run.text, run.data, run.source, run.created_by_name) == (
        form["text"],
        {"month": "May"},
        "staff",
        "operator",
    )
    text = text_of(admin, page(agent))
    assert page(run) in text and f"{LIST}?agent={agent.pk}" in text
    assert [row.pk for row in admin.get(f"{LIST}?agent={agent.pk}").context["cl"].result_list] == [run.pk]
    again = admin.get(page(agent, "try_it"), {"like": run.pk}).context["form"].initial
    assert (again["text"], json.loads(again["data"])) == (run.text, run.data)


@pytest.mark.parametrize(
    ("text", "data", "error"),
    [
        ("", "", "This field is required"),
        (" \n", "", "Type what the agent is asked to do"),
        ("a", "[1]", "Type a JSON object"),
        ("a", '{"a": NaN}', "This is not JSON that the hub can send"),
        ("a", '{"a": 1, "a": 2}', "duplicate key"),
        ("x" * 200_001, "", "at most 200000 characters"),
    ],
)
def test_a_form_with_an_error_keeps_what_was_typed(
    admin: Client, agent: A2aAgent, text: str, data: str, error: str
) -> None:
    answer = admin.post(page(agent, "try_it"), {"text": text, "data": data, "nonce": "n"})
    assert answer.status_code == 200 and error in answer.content.decode()
    assert answer.context["form"]["data"].value() == data
    assert not AgentRun.objects.exists()


def test_an_agent_that_gets_no_work_says_why(admin: Client, agent: A2aAgent) -> None:
    set_enabled(Federation.objects.get(), False, by=STAFF)
    assert page(agent, "try_it") not in text_of(admin, page(agent))
    assert "Its federation is disabled" in text_of(admin, page(agent))
    assert "Its federation is disabled" in text_of(admin, page(agent, "try_it"))
    answer = admin.post(page(agent, "try_it"), {"text": "a", "nonce": "n"})
    assert "Its federation is disabled" in answer.content.decode() and not AgentRun.objects.exists()
    gone = page(agent, "try_it")
    agent.delete()
    assert "no longer in the registry" in admin.post(gone, {"text": "a", "nonce": "n"}, follow=True).content.decode()


# Decisions -----------------------------------------------------------------------------------------------------------
def test_each_decision_calls_its_service_and_a_late_one_is_refused(admin: Client, agent: A2aAgent) -> None:
    waits = give(agent, needs_approval=True)
    asks = ask(give(agent, "b"))
    refused = give(agent, "c", needs_approval=True)
    assert "Which version?" in text_of(admin, page(asks, "answer_run"))
    for name, run in (("approve_run", waits), ("answer_run", asks), ("refuse_run", refused), ("cancel_run", waits)):
        answer = admin.post(page(run, name), CONFIRMED | FORMS[name], headers={"HX-Request": "true"})
        assert answer.headers["HX-Redirect"] == page(run)
    found = {run.text: (run.state, run.input_text, run.error) for run in AgentRun.objects.all()}
    assert found == {
        "Review print(1)": ("cancelled", "", "Too late"),
        "b": ("running", "Python 3.11", ""),
        "c": ("cancelled", "", "Refused: Not in scope"),
    }
    for name, run in (("approve_run", waits), ("refuse_run", waits), ("cancel_run", refused)):
        said = admin.post(page(run, name), CONFIRMED | FORMS[name], follow=True).content.decode()
        assert "Run in state 'cancelled' cannot be" in unescape(said), name
    # The agent asks again, and the answer to the first question comes late.
    ask(AgentRun.objects.get(text="b"), "And which system?")
    said = admin.post(page(asks, "answer_run"), CONFIRMED | FORMS["answer_run"], follow=True).content.decode()
    assert "The agent asked another question meanwhile" in said
    assert AgentRun.objects.get(text="b").state == "input_required"


def test_buttons_come_only_in_the_states_that_allow_them(admin: Client, agent: A2aAgent) -> None:
    def offered(run: AgentRun) -> set[str]:
        text = text_of(admin, page(run))
        return {name for name in FORMS if f'href="{page(run, name)}"' in text}

    assert offered(give(agent, needs_approval=True)) == {"approve_run", "refuse_run", "cancel_run"}
    assert offered(give(agent)) == {"cancel_run"}
    running = start(give(agent, "r"))
    assert offered(running) == {"cancel_run"}
    assert offered(ask(running)) == {"answer_run", "cancel_run"}
    assert offered(cancel_run(running, by=ADA)) == set()
    assert "Being cancelled" in text_of(admin, page(running))
    assert offered(end(running)) == set()


# Rights --------------------------------------------------------------------------------------------------------------
def test_who_may_see_and_do_what(staff: Callable[..., Client], agent: A2aAgent) -> None:
    run, secret = give(agent, needs_approval=True), of_peer(agent)
    end(start(make_run(agent, Work("done"), by=ADA)), answer={"text": "ok", "artifacts": []})
    done = AgentRun.objects.get(text="done")
    people = {
        "stranger": staff(username="stranger"),
        "reader": staff(username="reader"),
        "operator": staff("run_a2aagent", username="operator"),
        "approver": staff("approve_agentrun", username="approver"),
        "auditor": staff("view_receiveddispatch", username="auditor"),
    }
    for name in list(people)[1:]:
        grant(Federation.objects.get(), level=AccessLevel.VIEW, user=User.objects.get(username=name))
    # A right to run or to approve without VIEW on the federation opens nothing.
    people["blind"] = staff("run_a2aagent", "approve_agentrun", username="blind")

    pages = {
        "list": LIST, "run": page(run), "live": page(run, "live"), "event": page(run, "event", 1),
        "artifact": page(done, "artifact", 9), "file": page(done, "answer_file"), "secret": page(secret),
        "secret live": page(secret, "live"), "secret event": page(secret, "event", 1), "try": page(agent, "try_it"),
        **{name: page(run, name) for name in FORMS},
    }  # fmt: skip
    opened = {
        person: {name for name, path in pages.items() if client.get(path).status_code == 200}
        for person, client in people.items()
    }
    seen = {"list", "run", "live", "event", "file"}
    assert opened == {
        "stranger": set(),
        "reader": seen,
        "operator": seen | {"try", "answer_run", "cancel_run"},
        "approver": seen | {"approve_run", "refuse_run"},
        "auditor": seen | {"secret", "secret live", "secret event"},
        "blind": set(),
    }
    for person, client in people.items():
        if "run" in opened[person]:
            shown, of_agent = text_of(client, page(run)), text_of(client, page(agent))
            offered = {name for name in FORMS if f'href="{page(run, name)}"' in shown}
            assert offered == opened[person] & {"approve_run", "refuse_run", "cancel_run"}, person
            assert (page(agent, "try_it") in of_agent) == ("try" in opened[person]), person
        for name in FORMS:
            if name not in opened[person]:
                assert client.post(page(run, name), CONFIRMED | FORMS[name]).status_code in (302, 403, 404)
        if "try" not in opened[person]:
            assert client.post(page(agent, "try_it"), {"text": "x", "nonce": "n"}).status_code in (302, 403, 404)
    assert AgentRun.objects.count() == 3
    assert AgentRun.objects.get(pk=run.pk).state == "waiting_approval"
    rows = reverse("admin:federations_agentrun_live_rows")
    assert "Waiting" not in text_of(people["reader"], rows, {"run": secret.pk})
    assert [row.pk for row in people["reader"].get(LIST).context["cl"].result_list] == [done.pk, run.pk]
    assert "Secret" not in text_of(people["reader"], page(agent))


# The list, the dashboard, the search ---------------------------------------------------------------------------------
def test_the_list_is_narrowed_by_each_filter_and_links_to_the_agent(admin: Client, agent: A2aAgent) -> None:
    own, secret = give(agent), of_peer(agent)
    gone = give(agent, "for nobody")
    AgentRun.objects.filter(pk=gone.pk).update(agent_id="0" * 24, agent_name="gone", federation_id="1" * 24)

    def found(query: str) -> set[str]:
        return {row.text for row in admin.get(f"{LIST}?{query}").context["cl"].result_list}

    assert found("source=peer") == {"Secret work"} == found("tab=waiting_approval")
    assert found(f"federation={agent.federation_id}") == {"Review print(1)", "Secret work"}
    assert found(f"q={own.pk}") == {"Review print(1)"} == found("q=print")
    assert found("q=d-1") == {"Secret work"}
    assert found("when=7d") == {"Review print(1)", "Secret work", "for nobody"}
    text = text_of(admin, LIST)
    assert page(agent) in text and "0" * 24 + "/change" not in text
    assert "no longer in the registry" in text_of(admin, page(gone))
    lines = b"".join(admin.get(f"{LIST}export.csv")).decode().splitlines()
    assert len(lines) == 4 and secret.pk in "".join(lines)


def test_what_waits_is_on_the_dashboard_with_its_age_and_leads_to_exactly_its_rows(
    admin: Client, staff: Callable[..., Client], agent: A2aAgent
) -> None:
    for number, days in enumerate((3, 1)):
        run = give(agent, f"approve {number}", needs_approval=True)
        AgentRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=days))
    of_peer(agent)
    asks = ask(give(agent, "asks"))
    AgentRun.objects.filter(pk=asks.pk).update(due_at=timezone.now() + WAIT - timedelta(hours=5, minutes=1))
    give(agent, "queued")
    cards = {card.title: card for card in admin.get(INDEX).context["attention"]}
    approvals, questions = cards["runs waiting for approval"], cards["run with an open question"]
    assert (approvals.number, approvals.age.replace("\xa0", " ")) == (3, "the oldest for 3 days")
    assert (questions.number, questions.age.replace("\xa0", " ")) == (1, "for 5 hours")
    listed = [row.text for row in admin.get(approvals.href).context["cl"].result_list]
    assert listed == ["approve 0", "approve 1", "Secret work"]
    assert [row.text for row in admin.get(questions.href).context["cl"].result_list] == ["asks"]

    reader = staff(username="reader")
    assert not reader.get(INDEX).context["attention"]
    grant(Federation.objects.get(), level=AccessLevel.VIEW, user=User.objects.get(username="reader"))
    numbers = {card.title: card.number for card in reader.get(INDEX).context["attention"]}
    assert numbers == {"runs waiting for approval": 2, "run with an open question": 1}

    found = text_of(admin, "/admin/search/", {"s": asks.pk})
    assert page(asks) in found
    assert page(asks) not in text_of(staff(username="stranger"), "/admin/search/", {"s": asks.pk})


def test_a_peers_run_names_the_peer_and_links_to_its_dispatch(admin: Client, agent: A2aAgent) -> None:
    peer = Peer.objects.create(server_url="https://partner.example.org", state="approved")
    received = ReceivedDispatch.objects.create(
        peer=peer, dispatch_id="d-7", body_digest="0", accepted=True, envelope={}, agent_id="reviewer"
    )
    work = Work("x", source=RunSource.PEER, source_id=peer.pk, dispatch_id=received.pk)
    text = text_of(admin, page(make_run(agent, work, by=Actor("", "Partner"))))
    assert reverse("admin:peers_receiveddispatch_change", args=[received.pk]) in text and "dispatch d-7" in text


def test_the_pages_ask_few_queries_however_much_happened(admin: Client, agent: A2aAgent) -> None:
    run = start(give(agent))
    write(run, *((EventKind.MESSAGE, {"text": f"step {number}"}) for number in range(300)))
    assert AgentRunEvent.objects.count() == 300
    for path in (LIST, page(run), page(run, "live"), page(agent)):
        admin.get(path)
        with counted_queries() as asked:
            assert admin.get(path).status_code == 200
        assert len(asked) <= 15, "\n".join(asked)
    cancel_runs_of_federation(str(agent.federation_id), reason="disabled")
