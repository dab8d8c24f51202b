"""The words and colors of runs on admin pages: states, who gave the work, and what to do after an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.labels import format_seconds, label
from federations.admin.run_rows import beginning_of
from federations.models import AgentRun
from federations.runs.states import RunSource, RunState
from federations.services.runs.make import WAIT

STATE_WORDS: Mapping[str, str] = {
    RunState.WAITING_APPROVAL: "Waiting for approval",
    RunState.QUEUED: "Queued",
    RunState.RUNNING: "Running",
    RunState.INPUT_REQUIRED: "Asks a question",
    RunState.COMPLETED: "Completed",
    RunState.FAILED: "Failed",
    RunState.CANCELLED: "Cancelled",
    RunState.EXPIRED: "Expired",
}
BEING_CANCELLED = "Being cancelled"
STATE_COLORS: Mapping[str, str] = {
    STATE_WORDS[RunState.WAITING_APPROVAL]: "warning",
    STATE_WORDS[RunState.QUEUED]: "info",
    STATE_WORDS[RunState.RUNNING]: "info",
    STATE_WORDS[RunState.INPUT_REQUIRED]: "warning",
    STATE_WORDS[RunState.COMPLETED]: "success",
    STATE_WORDS[RunState.FAILED]: "danger",
    STATE_WORDS[RunState.CANCELLED]: "default",
    STATE_WORDS[RunState.EXPIRED]: "warning",
    BEING_CANCELLED: "warning",
}
SOURCE_WORDS: Mapping[str, str] = {RunSource.PEER: "A peer", RunSource.STAFF: "Staff or a program"}
TITLE_CHARACTERS = 90

SAYINGS: Mapping[str, str] = {
    RunState.WAITING_APPROVAL: "The work waits until staff approve or refuse it. "
    f"After {WAIT.days} days without a decision it ends as expired.",
    RunState.QUEUED: "The work waits for a worker.",
    RunState.RUNNING: "The agent has the message and works.",
    RunState.INPUT_REQUIRED: "The agent waits for an answer to its question. "
    f"After {WAIT.days} days without one the work ends as expired.",
}
# The part of an error by which it is known, and what staff do about it.
NEXT_STEPS: Sequence[tuple[str, str]] = (
    ("Refused:", "The agent did not begin. The reason above was given by the person who refused."),
    ("within 7 days", "Give the work again, and decide or answer within 7 days."),
    (
        "did not finish within",
        "Give the agent a smaller piece of work, or raise FEDHUB_AGENT_SECONDS for agents that need longer.",
    ),
    ("budget exceeded", "The hub cancelled the agent's task. The sender of the work can send it with a larger budget."),
    (
        "no longer knows the task",
        "The agent forgot its task, most likely because it was restarted. Give the work again, and ask the agent's "
        "owner to keep tasks over a restart.",
    ),
    ("agent was deleted", "The agent is no longer in the registry. Look for another agent with the same skill."),
    ("federation is", "Enable the agent's federation, then give the work again."),
    ("allowlist", "Let the runtime accept the named header, then give the work again."),
    ("redirect", "The hub follows no redirects. Ask the agent's owner to answer at the invocation URL."),
    ("another task", "The answer did not fit this run, so the hub took nothing of it. Ask the agent's owner."),
    ("another context", "The answer did not fit this run, so the hub took nothing of it. Ask the agent's owner."),
    ("larger than", "Ask the agent for less in one run."),
    ("more than", "Ask the agent for less in one run."),
    ("the hub failed", "Search the log of the workers for the id of this run."),
    (
        "not authorized",
        "The role of the federation needs the permission bedrock-agentcore:InvokeAgentRuntime on this runtime.",
    ),
    (
        "AccessDenied",
        "The role of the federation needs the permission bedrock-agentcore:InvokeAgentRuntime on this runtime.",
    ),
    ("AssumeRole", "Test the connection on the federation's page, then give the work again."),
)
OTHERWISE: Mapping[str, str] = {
    RunState.FAILED: "Read what the agent said in the time line below. Give the work again in other words, or ask the "
    "agent's owner.",
    RunState.EXPIRED: "Give the work again.",
}


def state_words(run: AgentRun) -> str:
    """Return the state of a run in words; a run that a worker still has to cancel is being cancelled."""
    return BEING_CANCELLED if is_being_cancelled(run) else STATE_WORDS.get(run.state, run.state)


def is_being_cancelled(run: AgentRun) -> bool:
    """Tell whether somebody asked to end the run, and the agent's task is not cancelled yet."""
    return run.cancel_asked_at is not None and not run.has_ended


def state_label(run: AgentRun) -> SafeString:
    """Return the state of a run as a colored label."""
    return label(state_words(run), STATE_COLORS)


def live_state(run: AgentRun) -> SafeString:
    """Return the label of the state, with a class by which `federations/live_runs.html` replaces it."""
    if run.has_ended:
        return state_label(run)
    return format_html('<span class="run-state-{}">{}</span>', run.pk, state_label(run))


def run_title(run: AgentRun) -> str:
    """Return the first line of the message, by which people know a run: the title of a peer's work."""
    first, _, _ = beginning_of(run).strip().partition("\n")
    line = " ".join(first.split())
    if not line:
        return "Data without a text"
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"


def giver_of(run: AgentRun) -> str:
    """Return who gave the work, as the run itself knows it."""
    if run.source == RunSource.PEER:
        return run.created_by_name or "a peer"
    return run.created_by_name or "the hub"


def saying_of(run: AgentRun) -> str:
    """Return one sentence about the state of a run."""
    if is_being_cancelled(run):
        return "The hub asks the agent to cancel its task. The run ends a moment later."
    if not run.has_ended:
        return SAYINGS[run.state]
    took = took_of(run)
    return f"{STATE_WORDS[run.state]}{f' {took} after the start' if took else ' before the agent began'}."


def took_of(run: AgentRun) -> str:
    """Return how long the run took from its start, or has taken until now; empty where the agent did not begin."""
    if run.started_at is None:
        return ""
    return format_seconds((run.finished_at or timezone.now()) - run.started_at)


def next_step(run: AgentRun) -> str:
    """Return what staff can do about the error of an ended run; empty where there is nothing to do."""
    for part, step in NEXT_STEPS:
        if part in run.error:
            return step
    return OTHERWISE.get(run.state, "")
