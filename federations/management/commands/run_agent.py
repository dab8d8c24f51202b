"""The command run_agent: give work to an agent, and follow it to its end."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from core.actors import Actor
from core.errors import HubError
from federations.models import A2aAgent, AgentRun, AgentRunEvent
from federations.runs.states import EventKind, RunState
from federations.services.runs.drive import run_agents
from federations.services.runs.make import Work, make_run

POLL_SECONDS = 0.5
BY = Actor(id="", name="command line")


class Command(BaseCommand):
    """The command that drives one run in this process, and prints its events and its answer."""

    help = "Give work to a discovered A2A agent and follow it; exits with 1 unless the agent completes it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("agent", metavar="AGENT", help="the id, the path or the name of the agent")
        parser.add_argument("text", metavar="TEXT", help="what the agent shall do")
        parser.add_argument("--data", metavar="JSON", help="a JSON object for the data part of the message")
        parser.add_argument("--json", action="store_true", help="print the answer alone, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the run, drive it, and print what happens."""
        agent = _find_agent(options["agent"])
        try:
            run = make_run(agent, Work(options["text"], _read_data(options["data"])), by=BY)
        except HubError as exc:
            raise CommandError(exc.message) from exc
        if not options["json"]:
            self.stdout.write(f"Run {run.id} of {agent.path}")
        try:
            run_agents(only=run.id)
            run = self._follow(run, quiet=options["json"])
        except KeyboardInterrupt:
            raise CommandError(f"Stopped looking; run {run.id} goes on in a worker, or can be cancelled") from None
        self._print_end(run, as_json=options["json"])

    def _follow(self, run: AgentRun, *, quiet: bool) -> AgentRun:
        """Print the events until the run ends or asks; a worker may have taken it."""
        printed = 0
        while True:
            current = AgentRun.objects.get(id=run.id)
            for event in AgentRunEvent.objects.filter(run=run, sequence__gt=printed):
                printed = event.sequence
                if not quiet:
                    self.stdout.write(f"  {event.created_at:%H:%M:%S}  {_describe(event)}")
            if current.has_ended or current.state == RunState.INPUT_REQUIRED:
                return current
            time.sleep(POLL_SECONDS)

    def _print_end(self, run: AgentRun, *, as_json: bool) -> None:
        if run.state == RunState.INPUT_REQUIRED:
            raise CommandError(f"The agent asks: {run.question} Answer it by POST /api/v1/runs/{run.id}/input")
        if run.state != RunState.COMPLETED:
            raise CommandError(f"{run.get_state_display()}: {run.error}")
        answer: Any = run.answer or {"text": "", "artifacts": []}
        if as_json:
            self.stdout.write(json.dumps(answer))
            return
        if answer["text"]:
            self.stdout.write(answer["text"])
        for artifact in answer["artifacts"]:
            shown = json.dumps(artifact.get("parts", artifact.get("digest")), ensure_ascii=False)
            self.stdout.write(f"{artifact['name'] or artifact['id']}: {shown}")


def _find_agent(named: str) -> A2aAgent:
    found = list(A2aAgent.objects.select_related("federation").filter(Q(id=named) | Q(path=named) | Q(name=named))[:2])
    if not found:
        raise CommandError(f"There is no agent {named!r}; sync its federation first")
    if len(found) > 1:
        raise CommandError(f"Several agents are named {named!r}; give the id or the path")
    return found[0]


def _read_data(text: str | None) -> Any:
    if text is None:
        return None
    try:
        data = json.loads(text)
    except ValueError as exc:
        raise CommandError(f"--data is not JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise CommandError("--data must be a JSON object")
    return data


def _describe(event: AgentRunEvent) -> str:
    payload: Any = event.payload
    said = {
        EventKind.MESSAGE.value: payload.get("text", ""),
        EventKind.INPUT_REQUIRED.value: payload.get("question", ""),
        EventKind.ARTIFACT.value: payload.get("name") or payload.get("id", ""),
        EventKind.ENDED.value: payload.get("state", ""),
        EventKind.BUDGET_WARNING.value: payload.get("limit", ""),
    }.get(event.kind, "")
    return f"{event.get_kind_display()}{f': {said}' if said else ''}"
