"""A campaign of kills: agents of one hub do the work of another hub, while the worker that drives them is killed.

The campaign arms a point, waits until the worker has killed itself there, and goes on with the next. Dispatches go out
all the time, to agents that list their tasks (A2A 1.0) and to agents that do not (A2A 0.3).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from django.db import connections

from core.strict_json import JsonObject
from federations.models import AgentRun
from peers.models import Dispatch, OutboundCallback
from tests.contract.agent_pair import AgentPair, agent_pair
from tests.kills.points import FOLDER_VARIABLE, Arm, arm_path, fired_path, write_arm
from tests.kills.run_invariants import RunFindings, find_violations
from tests.kills.run_points import POINTS
from tests.sandbox_server import start_sandbox

PROGRAM = "worker-agents"
IN_FLIGHT = 8
MOST_PASSES = 3
# The rest kills the whole program, which takes longer to start again.
SHARE_OF_CHILDREN = 2 / 3
REACH_SECONDS = 30.0
SETTLE_SECONDS = 90.0
_LISTS: JsonObject = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
_OLD: JsonObject = {"a2aVersions": ["0.3"]}
AGENTS: dict[str, JsonObject] = {
    "lists_streams": {"worker": "streams", "workerSeconds": 1, **_LISTS},
    "lists_polled": {"worker": "polled", "workerSeconds": 1, **_LISTS},
    "old_streams": {"worker": "streams", "workerSeconds": 1, **_OLD},
    "old_polled": {"worker": "polled", "workerSeconds": 1, **_OLD},
}


@dataclass(frozen=True, slots=True)
class RunKill:
    """One planned kill: at the `passes`-th pass of a point; of the worker's child `alone` or of the whole program."""

    point: str
    passes: int
    alone: bool


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The result of a campaign. `kills` are the kills that happened, by point."""

    kills: dict[str, int]
    seconds: float
    rows: dict[str, int]
    violations: list[str]


def plan_kills(seed: int, kills: int) -> list[RunKill]:
    """Return the kills in order; the numbers of kills at two points differ by one at most."""
    chance = random.Random(seed)
    points = list(POINTS)
    chance.shuffle(points)
    planned = [
        RunKill(points[number % len(points)], chance.randint(1, MOST_PASSES), chance.random() < SHARE_OF_CHILDREN)
        for number in range(kills)
    ]
    chance.shuffle(planned)
    return planned


@contextmanager
def campaign_pair(folder: Path) -> Iterator[AgentPair]:
    """Yield two running hubs with a sandbox of their own, whose worker of the queue `agents` has the points."""
    variables = {FOLDER_VARIABLE: str(folder), "FEDHUB_JOB_LEASE_SECONDS": "2", "LOG_LEVEL": "WARNING"}
    with (
        start_sandbox(runtimes=0) as sandbox,
        agent_pair(folder, sandbox, AGENTS, worker="tests.kills.run_worker", variables=variables) as pair,
    ):
        yield pair


@dataclass
class RunCampaign:
    """Two running hubs, the load on them, and the violations that were seen.

    `run` drops the kills that are left after `limit_seconds`.
    """

    pair: AgentPair
    folder: Path
    limit_seconds: float
    sent: dict[str, int] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    def run(self, planned: list[RunKill]) -> RunOutcome:
        """Do the planned kills under load, wait until all rows are settled, and compare; return the outcome."""
        load = threading.Thread(target=self._load)
        load.start()
        self._work_off(planned)
        self.is_over.set()
        load.join()
        self._settle()
        found: RunFindings = find_violations(self.pair, self.folder, self.sent)
        seconds = round(time.monotonic() - self.started, 1)
        return RunOutcome(dict(sorted(self.done.items())), seconds, found.rows, [*self.seen, *found.violations])

    def _work_off(self, planned: list[RunKill]) -> None:
        left = deque(enumerate(planned))
        while left and time.monotonic() - self.started < self.limit_seconds:
            number, kill = left.popleft()
            if not self._kill(number, kill):
                left.append((number, kill))
        if left:
            self.seen.append(f"no time for {len(left)} kills, the next at {left[0][1].point}")

    def _kill(self, number: int, kill: RunKill) -> bool:
        """Kill once; False if the point was not reached, so that the kill can be tried again later."""
        arm = Arm(f"{number}-{time.monotonic_ns()}", kill.point, kill.passes, -1 if kill.alone else 0)
        write_arm(self.folder, "agents", "own", arm)
        deadline = time.monotonic() + REACH_SECONDS
        while not fired_path(self.folder, arm.id).exists():
            if time.monotonic() > deadline:
                with suppress(FileNotFoundError):
                    arm_path(self.folder, "agents", "own").unlink()
                    return False
                break  # It fired at this moment.
            time.sleep(0.02)
        self.done[kill.point] += 1
        if not kill.alone:
            process = self.pair.right.processes[PROGRAM]
            process.wait(timeout=20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self.pair.right.start(PROGRAM)
        return True

    def _load(self) -> None:
        names = [name.replace("_", "-") for name in AGENTS]
        url, headers = f"{self.pair.left.url}/api/v1/federation/dispatch", {"X-API-Key": self.pair.token}
        waiting = self.pair.left.stored(Dispatch).filter(finished_at=None)
        try:
            with httpx.Client(headers=headers, timeout=15) as client:
                while not self.is_over.is_set():
                    if waiting.count() >= IN_FLIGHT:
                        time.sleep(0.05)
                        continue
                    number = len(self.sent)
                    body = {
                        "intent_id": f"k-{number:05d}",
                        "target_server": self.pair.right.url,
                        "agent_id": names[number % len(names)],
                        "intent_title": f"Add 1000 and {number}",
                    }
                    answer = client.post(url, json=body)
                    if answer.status_code != 200:
                        self.seen.append(f"HTTP {answer.status_code} {answer.text[:200]}")
                        return
                    self.sent[str(answer.json()["dispatch_id"])] = number
        finally:
            connections.close_all()

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while (
            self.pair.left.stored(Dispatch).filter(finished_at=None).exists()
            or self.pair.right.stored(AgentRun).filter(finished_at=None).exists()
            or self.pair.right.stored(OutboundCallback).filter(due_at__isnull=False).exists()
        ):
            if time.monotonic() > deadline:
                self.seen.append("not settled: runs, dispatches or callbacks are still due")
                return
            time.sleep(0.2)
