"""What pages about runs say: a title with the agent's name, and actions that the hub would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User

from core.api.browsable.facts import PageFacts
from core.errors import ConflictError
from core.ids import is_object_id
from federations.api.page_facts import facts_of_resource
from federations.models import A2aAgent, AgentRun
from federations.runs.states import ALLOWED, Action, RunState, refusal_text
from federations.services.access import agents_visible_to, may_approve_runs, may_run_agents, runs_visible_to
from federations.services.runs.make import check_agent

ACTIONS = {
    "cancel_run": Action.CANCEL,
    "answer_run": Action.ANSWER,
    "approve_run": Action.APPROVE,
    "refuse_run": Action.REFUSE,
}
DECISIONS = ("approve_run", "refuse_run")
NO_RUNNER = "Your roles give no right to give work to agents."
NO_APPROVER = "Your roles give no right to approve work for agents."


def facts_of_agent(user: User, agent_id: str, answer: Any) -> PageFacts:
    """Return the facts of the page of one agent, whose answer is `answer`."""
    return PageFacts(facts_of_resource("A2A agent", answer, "cardName", "name").title, refused=_work(user, agent_id))


def facts_of_agent_runs(user: User, agent_id: str) -> PageFacts:
    """Return the facts of the list of one agent's runs."""
    agent = _agent(user, agent_id)
    title = f"Runs of {agent.card_name or agent.name}" if agent else "Runs of an agent"
    return PageFacts(title, names={"agent_id": agent.name} if agent else {}, refused=_work(user, agent_id))


def facts_of_run(user: User, run_id: str) -> PageFacts:
    """Return the facts of the pages of one run; a run that the caller may not view stays unnamed."""
    run = runs_visible_to(user).filter(id=run_id).first() if is_object_id(run_id) else None
    if run is None:
        return PageFacts("A run", refused=dict.fromkeys(ACTIONS, "You may not see this run."))
    title = f"A run of {run.agent_name}"
    return PageFacts(title, names={"run_id": title}, refused=dict(_refused(user, run)))


def _agent(user: User, agent_id: str) -> A2aAgent | None:
    visible = agents_visible_to(user).select_related("federation").defer("card")
    return visible.filter(id=agent_id).first() if is_object_id(agent_id) else None


def _work(user: User, agent_id: str) -> dict[str, str]:
    agent = _agent(user, agent_id)
    if agent is None:
        return {"create_run": "You may not see this agent."}
    if not may_run_agents(user):
        return {"create_run": NO_RUNNER}
    try:
        check_agent(agent)
    except ConflictError as exc:
        return {"create_run": f"{exc.message}."}
    return {}


def _refused(user: User, run: AgentRun) -> Iterator[tuple[str, str]]:
    """Yield each operation that would be refused, with the reason."""
    may_run, may_approve = may_run_agents(user), may_approve_runs(user)
    for operation, action in ACTIONS.items():
        if operation in DECISIONS and not may_approve:
            yield operation, NO_APPROVER
        elif operation not in DECISIONS and not may_run:
            yield operation, NO_RUNNER
        elif RunState(run.state) not in ALLOWED[action]:
            yield operation, f"{refusal_text(run.state, action)}."
