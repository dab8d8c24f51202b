"""What must hold for runs whatever was killed: each dispatch ends once, with its answer, and each work is done once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.strict_json import JsonObject
from federations.models import AgentRun, AgentRunEvent
from federations.runs.message import message_id
from peers.models import Dispatch, InboundCallback, ReceivedDispatch
from tests.contract.agent_pair import AgentPair
from tests.kills.points import read_lines
from tests.kills.run_points import stored_path

# What the agent notes, and what the campaign notes, is a moment after the event.
CLOCK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RunFindings:
    """The counted rows, and one sentence for each violation."""

    rows: dict[str, int]
    violations: list[str]


def find_violations(pair: AgentPair, folder: Path, sent: Mapping[str, int]) -> RunFindings:
    """Compare both hubs' rows with the dispatches that were sent, and with what the agents got.

    `sent` are the numbers in the texts of the dispatches, by the dispatch's id.
    """
    runs = list(pair.right.stored(AgentRun).order_by("id"))
    messages: dict[str, list[JsonObject]] = defaultdict(list)
    for name in {run.agent_name for run in runs}:
        for message in pair.cloud.agent(name)["messages"]:
            messages[str(message["id"])].append(message)
    stored = {line["run"]: line["at"] for line in reversed(read_lines(stored_path(folder)))}
    found = [
        *_of_dispatches(pair, sent),
        *_of_runs(pair, runs, sent),
        *(text for run in runs for text in _of_messages(run, messages.pop(message_id(run.id), []), stored)),
        *(f"an agent got a message of no run: {unknown}" for unknown in messages),
    ]
    rows = {
        "dispatches": len(sent),
        "runs": len(runs),
        "runs whose message was sent twice or more": sum(run.sends > 1 for run in runs),
        "stored task ids": len(stored),
    }
    return RunFindings(rows, found)


def _of_dispatches(pair: AgentPair, sent: Mapping[str, int]) -> Iterator[str]:
    ends = Counter(
        row.dispatch_id for row in pair.left.stored(InboundCallback).filter(is_applied=True) if _is_end(row.event_type)
    )
    stored = {row.pk: row for row in pair.left.stored(Dispatch)}
    for dispatch_id in sent.keys() | stored.keys():
        row, number = stored.get(dispatch_id), sent.get(dispatch_id)
        if row is None or number is None:
            yield f"dispatch {dispatch_id} was answered and is not stored, or is stored and was not answered"
        elif (row.status, row.state.get("answer")) != ("completed", f"The sum is {1000 + number}."):
            yield f"dispatch {dispatch_id} is {row.status} with {row.state}"
        elif ends[dispatch_id] != 1 or not row.is_attested:
            yield f"dispatch {dispatch_id} ended {ends[dispatch_id]} times, attested {row.is_attested}"


def _is_end(event_type: str) -> bool:
    return event_type in ("completed", "failed")


def _of_runs(pair: AgentPair, runs: list[AgentRun], sent: Mapping[str, int]) -> Iterator[str]:
    received = {row.pk: row.dispatch_id for row in pair.right.stored(ReceivedDispatch)}
    counts = Counter(received.get(run.dispatch_id, "") for run in runs)
    for dispatch_id in sent.keys() | counts.keys():
        if counts[dispatch_id] != 1 or dispatch_id not in sent:
            yield f"dispatch {dispatch_id} has {counts[dispatch_id]} runs"
    ends = Counter(pair.right.stored(AgentRunEvent).filter(kind="ended").values_list("run_id", flat=True))
    for run in runs:
        if run.state != "completed" or ends[run.id] != 1:
            yield f"run {run.id} is {run.state} with {ends[run.id]} ends: {run.error}"


def _of_messages(run: AgentRun, messages: list[JsonObject], stored: Mapping[str, float]) -> Iterator[str]:
    about = f"run {run.id} of {run.agent_name}"
    if not 1 <= len(messages) <= run.sends:
        yield f"{about}: the agent got the message {len(messages)} times, and `sends` is {run.sends}"
    if len(messages) > 1 and run.agent_name.startswith("lists"):
        yield f"{about}: the agent lists its tasks and did the work {len(messages)} times"
    if run.id not in stored:
        yield f"{about}: no task id was stored"
    elif late := [message for message in messages if _at(message) > stored[run.id] + CLOCK_SECONDS]:
        yield f"{about}: {len(late)} messages after the task id was stored"


def _at(message: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(message["at"]).timestamp()
