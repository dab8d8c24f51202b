"""What the page of a run says: state, answer, error, message, time line, usage, and the parts that htmx replaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import time_until
from core.admin.labels import count_text, format_seconds, format_time, sentence
from core.strict_json import Json
from federations.admin.run_actions import buttons_of
from federations.admin.run_givers import giver_text
from federations.admin.run_labels import is_being_cancelled, next_step, saying_of, state_label
from federations.admin.run_parts import Room, artifact_block, artifact_name, data_block, text_block
from federations.admin.run_timeline import content_of, entries_of, events_after, moment_text, newest_events
from federations.admin.visible_text import visible
from federations.models import A2aAgent, AgentRun, AgentRunEvent
from federations.runs.states import RunState
from federations.runs.usage import USAGE_OF_LIMIT
from federations.services.access import agents_visible_to, may_run_agents
from federations.services.runs.make import takes_work

# htmx stops to ask after an answer with this status.
STOP = 286
ANSWER_CHARACTERS, ANSWER_NODES = 40_000, 800
MESSAGE_CHARACTERS, MESSAGE_NODES = 20_000, 300
EVENT_CHARACTERS, EVENT_NODES = 30_000, 600
MAX_ARTIFACTS = 100
OPEN_ARTIFACTS = 5
SENT_TWICE = (
    "The hub could not know whether the agent had got the message, so it sent the message again with the same ids. The "
    "agent may have done the work more than once."
)
WAITING = (RunState.WAITING_APPROVAL, RunState.INPUT_REQUIRED)
FIGURES = (("llm_tokens", "LLM tokens", ""), ("tool_calls", "Tool calls", ""), ("cost_usd", "Cost", " USD"))


def run_context(request: HttpRequest, run: AgentRun, agent: A2aAgent | None) -> dict[str, Any]:
    """Return the template context of the whole page; the query `before` asks for earlier events."""
    before = _number(request.GET.get("before", ""))
    events, has_earlier = newest_events(run, before=before)
    message = Room(MESSAGE_CHARACTERS, MESSAGE_NODES)
    return {
        **live_context(request, run, agent),
        "agent": agent,
        "given": moment_text(run.created_at, run.created_at),
        "given_at": format_time(run.created_at),
        "giver": giver_text(request, run),
        "run_text": text_block(run.text, message) if run.text else "",
        "run_data": data_block(run.data, message) if run.data is not None else "",
        "entries": entries_of(run, events, Room(EVENT_CHARACTERS, EVENT_NODES)),
        "last_sequence": events[-1].sequence if events else 0,
        "earlier": events[0].sequence if has_earlier else 0,
        "before": before,
        "follows": not run.has_ended and not before,
    }


def live_context(request: HttpRequest, run: AgentRun, agent: A2aAgent | None) -> dict[str, Any]:
    """Return what changes with the state of the run."""
    asks = run.state == RunState.INPUT_REQUIRED and not is_being_cancelled(run)
    return {
        "run": run,
        "state_key": state_key(run),
        "state_shown": state_label(run),
        "saying": saying_of(run),
        "began": moment_text(run.started_at, run.created_at) if run.started_at else "",
        "lapses": time_until(run.due_at) if run.state in WAITING and not is_being_cancelled(run) else "",
        "buttons": buttons_of(request.user, run),
        "again_url": _again_url(request, run, agent),
        "question": text_block(run.question or "It does not say what it needs.", Room(MESSAGE_CHARACTERS))
        if asks
        else "",
        "answer": _answer(run) if run.has_ended and run.answer else None,
        "run_error": visible(sentence(run.error)) if run.has_ended else "",
        "error_color": "danger" if run.state == RunState.FAILED else "warning",
        "next_step": next_step(run) if run.has_ended else "",
        "usage": list(_usage(run)),
        "sent_twice": SENT_TWICE if run.sends - run.input_number > 1 else "",
    }


def state_key(run: AgentRun) -> str:
    """Return a text that changes with all that a page says about the state."""
    return f"{run.state}-{run.input_number}-{int(is_being_cancelled(run))}"


def live_answer(request: HttpRequest, run: AgentRun) -> HttpResponse:
    """Return the parts of a page that changed since the state and the sequence in the queries `seen` and `after`.

    New events are appended, so that the folds of the earlier ones stay as they are.
    """
    request.current_app = site.name
    after = _number(request.GET.get("after", ""))
    events = events_after(run, after)
    agent = agent_with_status(request, run.agent_id)
    context = {
        **site.each_context(request),
        **live_context(request, run, agent),
        "entries": entries_of(run, events, Room(EVENT_CHARACTERS, EVENT_NODES)),
        "last_sequence": events[-1].sequence if events else after,
    }
    context["is_new_state"] = request.GET.get("seen", "") != context["state_key"]
    is_over = run.has_ended and context["last_sequence"] >= run.last_sequence
    return TemplateResponse(request, "federations/run_live.html", context, status=STOP if is_over else 200)


def event_answer(run: AgentRun, sequence: int) -> HttpResponse:
    """Return the content of one event."""
    event = AgentRunEvent.objects.filter(run_id=run.pk, sequence=sequence).first()
    if event is None:
        raise Http404("Event not found")
    return HttpResponse(content_of(event))


def artifact_answer(run: AgentRun, place: int) -> HttpResponse:
    """Return the content of one artifact of the answer."""
    artifacts = _artifacts(run)
    if place >= len(artifacts):
        raise Http404("Artifact not found")
    return HttpResponse(artifact_block(artifacts[place], Room()))


def agent_with_status(request: HttpRequest, agent_id: str) -> A2aAgent | None:
    """Return the name of an agent and the status of its federation, if it is there and the user may view it."""
    found = agents_visible_to(request.user).filter(pk=agent_id).select_related("federation")
    return found.only("id", "name", "federation__status", "federation__display_name").first()


def _again_url(request: HttpRequest, run: AgentRun, agent: A2aAgent | None) -> str:
    """Return the address at which the same work is given again; empty where that would be refused."""
    if not run.has_ended or agent is None or not takes_work(agent) or not may_run_agents(request.user):
        return ""
    return f"{reverse('admin:federations_a2aagent_try_it', args=[agent.pk])}?like={run.pk}"


def _artifacts(run: AgentRun) -> list[dict[str, Json]]:
    listed = run.answer.get("artifacts") if isinstance(run.answer, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _answer(run: AgentRun) -> dict[str, Any]:
    """Return the answer: the artifacts for which the page has no room have the address of their content."""
    room = Room(ANSWER_CHARACTERS, ANSWER_NODES)
    text = str(run.answer.get("text") or "")
    is_cut = len(text) > room.characters
    shown_text = text_block(text, room) if text else ""
    artifacts = _artifacts(run)
    return {
        "text": shown_text,
        "is_cut": is_cut or len(artifacts) > MAX_ARTIFACTS,
        "artifacts": _shown_artifacts(run, artifacts, room),
        "count": count_text(len(artifacts), "artifact"),
    }


def _shown_artifacts(run: AgentRun, artifacts: list[dict[str, Json]], room: Room) -> list[dict[str, Any]]:
    """Return the last artifacts in their order.

    Agents give notes first and the result last, so the last ones get the room of the page, and they are open.
    """
    names = [visible(artifact_name(each)[:200]) or f"Artifact {place}" for place, each in enumerate(artifacts, 1)]
    titles = list(_numbered(names))
    last = list(enumerate(artifacts))[-MAX_ARTIFACTS:]
    first_open = len(artifacts) - OPEN_ARTIFACTS
    return [
        _shown(run, place, titles[place], each, room, may_open=place >= first_open) for place, each in reversed(last)
    ][::-1]


def _numbered(names: list[SafeString | str]) -> Iterator[SafeString]:
    """Yield the names; those that occur several times with their number, so that people tell them apart."""
    counts, seen = Counter(names), Counter[SafeString | str]()
    for name in names:
        seen[name] += 1
        number = f", {seen[name]} of {counts[name]}" if counts[name] > 1 else ""
        yield format_html("{}{}", name, number)


def _shown(
    run: AgentRun, place: int, title: SafeString, artifact: dict[str, Json], room: Room, *, may_open: bool
) -> dict[str, Any]:
    has_room = room.has_room_for(artifact)
    url = reverse("admin:federations_agentrun_artifact", args=[run.pk, place])
    return {
        "name": title,
        "content": artifact_block(artifact, room) if has_room else "",
        "url": "" if has_room else url,
        "is_open": has_room and may_open,
    }


def _usage(run: AgentRun) -> Iterator[tuple[str, str | SafeString]]:
    """Yield what the run used, with the limits of its budget, as names and texts."""
    usage, limits = (
        run.usage,
        {USAGE_OF_LIMIT[name]: bound for name, bound in run.limits.items() if name in USAGE_OF_LIMIT},
    )
    if isinstance(seconds := usage.get("seconds"), int | float):
        yield "The agent worked", format_seconds(timedelta(seconds=seconds))
    if requests := usage.get("requests"):
        yield "Requests to the agent", f"{requests:,}"
    answers = f", {count_text(run.input_number, 'answer')} among them" if run.input_number else ""
    yield "Messages sent", f"{run.sends:,}{answers}"
    for name, title, unit in FIGURES:
        used, bound = usage.get(name), limits.get(name)
        if used is not None or bound is not None:
            figure = f"{used:,}{unit}" if isinstance(used, int | float) else "not reported"
            yield title, f"{figure}, at most {bound:,}{unit}" if isinstance(bound, int | float) else figure
    if run.protocol_version:
        yield "A2A version", run.protocol_version
    if run.task_id:
        yield "Task at the agent", visible(run.task_id)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
