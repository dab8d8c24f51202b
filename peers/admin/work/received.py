"""The time line of a received dispatch, and what its page says of its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import row_link
from core.admin.labels import format_time, label
from federations.admin.run_labels import saying_of as saying_of_run
from federations.admin.run_labels import state_label
from federations.admin.run_page import state_key
from federations.admin.run_parts import Room, text_block
from federations.admin.run_timeline import entries_of as entries_of_run
from federations.admin.run_timeline import newest_events
from federations.admin.visible_text import visible
from federations.models import AgentRun
from federations.runs.states import RunState
from federations.services.access import runs_visible_to
from peers.admin.labels import event_name, http_answer, peer_link, plural
from peers.admin.outbox import WORK_COLORS, work_state
from peers.admin.work.answer import answer_of
from peers.admin.work.entries import Fact, delta_body, receipt_facts, staff_facts
from peers.admin.work.outcome import OUTCOME_COLORS, answer_words, outcome_of, what_happened
from peers.admin.work.reports import ENDS
from peers.models import DispatchReceipt, HandlerEvent, OutboundCallback, ReceivedDispatch, TakenBy, WorkOutcome
from peers.protocol import ProtocolError, parse_json_object
from peers.services.agent_work.begin import runs_of
from peers.services.agent_work.by_hand import waits_for_staff
from peers.services.agent_work.waiting import WAITING_RUNS
from peers.services.answer_words import in_words

MAX_CALLBACKS = 200
EVENT_CHARACTERS, EVENT_NODES = 20_000, 300
TAKERS = {
    TakenBy.AGENT: "for the agent that it names",
    TakenBy.HANDLER: "for this hub's handlers",
    TakenBy.STAFF: "for staff, because neither an agent nor a handler takes it",
}


def run_of(request: HttpRequest, received: ReceivedDispatch) -> tuple[AgentRun | None, bool]:
    """Return the run of a received dispatch, and whether this person may see it."""
    run = runs_of(received).first()
    return run, run is not None and runs_visible_to(request.user).filter(pk=run.pk).exists()


def received_facts(received: ReceivedDispatch, run: AgentRun | None, *, may_see_run: bool) -> list[Fact]:
    """Return all facts of a received dispatch, from its row, handlers, run, callbacks, receipt and the journal."""
    events = HandlerEvent.objects.filter(source_id=received.pk).order_by("created_at", "id") if run is None else ()
    receipt = DispatchReceipt.objects.filter(
        is_sent=False, peer_id=received.peer_id, dispatch_id=received.dispatch_id
    ).first()
    return [
        *_taken(received),
        *(fact for event in events for fact in _handled(event)),
        *(_of_run(run) if run and may_see_run else ()),
        *(fact for callback in received.callbacks.order_by("sequence")[:MAX_CALLBACKS] for fact in _told(callback)),
        *receipt_facts(receipt),
        *staff_facts(received.dispatch_id),
    ]


def received_state(
    request: HttpRequest, received: ReceivedDispatch, run: AgentRun | None, *, may_see_run: bool
) -> dict[str, Any]:
    """Return what the page says of the state of a received dispatch."""
    # Work that an agent has waits for nobody to do it by hand.
    waits = run is None and waits_for_staff(received)
    state, intent = (
        outcome_of(received, waits=waits or (run is not None and run.state in WAITING_RUNS)),
        received.intent,
    )
    is_done = state == WorkOutcome.COMPLETED.label and intent is not None
    is_refused = state == WorkOutcome.REFUSED.label
    shown_run = format_html(" {}", _run_shown(run, may_see_run=may_see_run, is_refused=is_refused)) if run else ""
    owed = received.callbacks.filter(delivered_at=None, dead_at=None).exists()
    return {
        "state_shown": format_html("{} {}{}", label(state, OUTCOME_COLORS), peer_link(received.peer), shown_run),
        "saying": saying_of_run(run) if run and not received.is_finished else _why_ended(received, is_done=is_done),
        "notice": _notice(received) if waits else _lost_report(received),
        "is_by_hand": waits,
        "question": text_block(run.question, Room(2_000))
        if run and may_see_run and run.state == RunState.INPUT_REQUIRED and run.question
        else "",
        "answer": answer_of(intent.state) if is_done and intent else "",
        "state_key": f"{state}-{state_key(run) if run else ''}-{owed}",
        "has_ended": received.is_finished and not owed,
    }


def _notice(received: ReceivedDispatch) -> SafeString:
    why = (
        "Neither an agent nor a handler takes it." if received.taken_by == TakenBy.STAFF else "No handler has done it."
    )
    return format_html(
        "<strong>The work waits for staff.</strong> {} Do the work by hand and press Answer, or press Refuse.", why
    )


def _why_ended(received: ReceivedDispatch, *, is_done: bool) -> str:
    """Return why the work has no answer; "" for work that has one, or goes on."""
    return "" if is_done or not received.is_finished else f"The reason: {what_happened(received)}"


def _lost_report(received: ReceivedDispatch) -> SafeString | str:
    """Return that the sender has not got the end of the work, because the hub gave up the report on it."""
    given_up = received.callbacks.filter(dead_at__isnull=False, put_away_at__isnull=True)
    lost = given_up.order_by("-sequence").first()
    if lost is None:
        return ""
    what = "the end of this work" if lost.event_type in ENDS else "a report on this work"
    return format_html(
        "<strong>The sender has not got {}.</strong> {} {}",
        what,
        in_words(lost.last_error, is_report=True),
        row_link(lost, "Open the report to try it again"),
    )


def _run_shown(run: AgentRun, *, may_see_run: bool, is_refused: bool) -> SafeString:
    if is_refused and may_see_run:
        # The run is cancelled, which would be another word for the same event.
        return format_html("{}", row_link(run, f"the run of {visible(run.agent_name)}"))
    if not may_see_run:
        return format_html("run: {}", state_label(run))
    url = reverse("admin:federations_agentrun_change", args=[run.pk])
    return format_html(
        'run: {} <a class="text-link" href="{}">of {}</a>', state_label(run), url, visible(run.agent_name)
    )


def _taken(received: ReceivedDispatch) -> Iterator[Fact]:
    agent = f"It names the agent {received.agent_id}." if received.agent_id else "It names no agent."
    yield Fact(received.received_at, "inbox", format_html("{} sent it", received.peer), agent)
    taker = TAKERS.get(received.taken_by)  # type: ignore[call-overload]
    title = f"The hub accepted it {taker}" if taker else "The hub accepted it"
    if received.accepted:
        yield Fact(
            received.received_at,
            "task_alt",
            title,
            answer_words(received),
            "good",
        )
    else:
        yield Fact(received.received_at, "block", "The hub refused it", answer_words(received), "bad")


def _handled(event: HandlerEvent) -> Iterator[Fact]:
    name = event.handler.rpartition(".")[2] or event.handler
    if event.finished_at:
        title = format_html("{} was called, {}", name, plural(event.attempts, "attempt"))
        yield Fact(event.finished_at, "webhook", title, event.last_error)
    elif event.dead_at:
        yield Fact(event.dead_at, "report", format_html("The hub gave {} up", name), event.last_error, "bad")
    elif event.attempts:
        title = format_html("{} failed, {}", name, plural(event.attempts, "attempt"))
        yield Fact(event.created_at, "webhook", title, event.last_error, "warning")


def _of_run(run: AgentRun) -> Iterator[Fact]:
    events, _ = newest_events(run)
    entries = entries_of_run(run, events, Room(EVENT_CHARACTERS, EVENT_NODES))
    for event, entry in zip(events, entries, strict=True):
        # A content for which there is no room here is on the run's own page.
        body = entry.body or (format_html("{}", row_link(run, "On the page of the run")) if entry.url else "")
        yield Fact(event.created_at, entry.icon, entry.title, body, entry.tone)


def _told(callback: OutboundCallback) -> Iterator[Fact]:
    try:
        body = delta_body(parse_json_object(callback.body))
    except ProtocolError:
        body = ""
    is_done = callback.delivered_at is not None
    state = work_state(callback, is_done=is_done)
    tone = "bad" if callback.dead_at else "good" if is_done else ""
    delivery = f"{plural(callback.attempts, 'attempt')}, last answer {http_answer(callback.last_status_code)}"
    if not is_done and callback.due_at:
        delivery = f"{delivery}, next {format_time(callback.due_at)}"
    title = format_html(
        "Report to the peer: {} {}", row_link(callback, event_name(callback.event_type)), _delivery(state)
    )
    error = format_html("<p>{}</p>", in_words(callback.last_error, is_report=True)) if callback.last_error else ""
    yield Fact(callback.created_at, "outbox", title, format_html("{}{}<p>{}</p>", body, error, delivery), tone)


def _delivery(state: str) -> SafeString:
    return label("Delivered" if state == "Done" else state, {**WORK_COLORS, "Delivered": "success"})
