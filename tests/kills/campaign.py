"""A campaign of kills: two hubs work for each other while their web and worker processes are killed and started again.

Each lane is one program of one hub and does its own kills, in an order and with counts drawn from the seed: it arms a
point, waits until the process has killed itself there, and starts it again. Dispatches go out all the time.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from django.db import connections

from peers.models import Dispatch, InboundCallback, OutboundCallback, ReceivedDispatch
from tests.contract.peer_hubs import Hub, template
from tests.contract.peer_pair import Pair
from tests.kills.invariants import unsettled, violations
from tests.kills.points import FOLDER_VARIABLE, Arm, append, arm_path, fired_path, kill_log, read_lines, write_arm

IN_FLIGHT = 10
MOST_PASSES = 2
# The rest kills the whole program, which takes longer to start again.
SHARE_OF_CHILDREN = 2 / 3
REACH_SECONDS = 30.0
SAY_SECONDS = 2
SETTLE_SECONDS = 90.0
EVENT_POINTS = ("event.before_take", "event.after_take", "event.in_handler", "event.after_call", "event.after_finish")


@dataclass(frozen=True, slots=True)
class Lane:
    """One program of one hub."""

    hub: str
    program: str

    def __str__(self) -> str:
        return f"{self.hub} {self.program}"


def _sending(name: str) -> tuple[str, ...]:
    steps = ("before_take", "after_take", "before_send", "after_send", "before_commit", "after_commit")
    return tuple(f"{name}.{step}" for step in steps)


SENDER_WEB, SENDER_WORKER = Lane("sender", "web"), Lane("sender", "worker")
RECEIVER_WEB, RECEIVER_WORKER = Lane("receiver", "web"), Lane("receiver", "worker")
POINTS: dict[Lane, tuple[str, ...]] = {
    SENDER_WEB: (
        *("create.before_commit", "deliver_dispatch.before_nudge", "create.after_commit", "create.answered"),
        *("accept.before_commit", "run_event.before_nudge", "accept.after_commit", "callback.answered"),
    ),
    SENDER_WORKER: (*_sending("dispatch"), *EVENT_POINTS, "sweep.after"),
    RECEIVER_WEB: ("receive.before_commit", "run_event.before_nudge", "receive.after_commit", "dispatch.answered"),
    RECEIVER_WORKER: (
        *EVENT_POINTS,
        *("report.before_commit", "deliver_callback.before_nudge", "report.after_commit"),
        *_sending("callback"),
    ),
}
# The process that got the answer kills the web process that gave it.
ANSWERED_TO = {"callback.answered": RECEIVER_WORKER, "dispatch.answered": SENDER_WORKER}


@dataclass(frozen=True, slots=True)
class Kill:
    """One planned kill: at the `passes`-th pass of a point; of the worker's child `alone` or of the whole program."""

    point: str
    passes: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a campaign. `kills` are the kills that happened, by lane and point."""

    kills: dict[str, dict[str, int]]
    answered: int
    unanswered: int
    refused: list[str]
    seconds: float
    rows: dict[str, int]
    violations: list[str]

    @property
    def total(self) -> int:
        """Return the number of kills that happened."""
        return sum(sum(points.values()) for points in self.kills.values())


def plan(seed: int, kills: int) -> dict[Lane, list[Kill]]:
    """Return the kills of each lane; the numbers of kills at two points differ by one at most."""
    chance = random.Random(seed)
    points = [(lane, point) for lane in POINTS for point in POINTS[lane]]
    chance.shuffle(points)
    planned: dict[Lane, list[Kill]] = {lane: [] for lane in POINTS}
    for number in range(kills):
        lane, point = points[number % len(points)]
        alone = lane.program == "worker" and chance.random() < SHARE_OF_CHILDREN
        planned[lane].append(Kill(point, chance.randint(1, MOST_PASSES), alone))
    for lane in planned:
        chance.shuffle(planned[lane])
    return planned


def run(folder: Path, *, seed: int, kills: int, seconds: float) -> Outcome:
    """Kill, wait until all rows are settled, and compare; drops the kills that are left after `seconds`."""
    database = template(folder / "template")
    hubs = {name: _hub(name, folder / name) for name in ("sender", "receiver")}
    try:
        for hub in hubs.values():
            hub.create(database)
            hub.start("web", "worker", "beat")
        campaign = Campaign(Pair(hubs["sender"], hubs["receiver"]), seconds)
        return campaign.run(plan(seed, kills))
    finally:
        for hub in hubs.values():
            hub.kill()


def _hub(name: str, folder: Path) -> Hub:
    extra = {
        FOLDER_VARIABLE: str(folder),
        "FEDHUB_HANDLERS": "tests.kills.recording.Recording",
        "LOG_LEVEL": "WARNING",
    }
    return Hub(name, folder, extra, web="tests.kills.web:application", worker="tests.kills.worker")


def _disconnecting(work: Callable[..., None], *args: object) -> None:
    """Do a thread's work, then close its connections to the hubs' databases."""
    try:
        work(*args)
    finally:
        connections.close_all()


@dataclass
class Campaign:
    """Two running hubs, the load on them, and the violations that were seen."""

    pair: Pair
    limit_seconds: float
    sent: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    done: dict[str, Counter[str]] = field(default_factory=lambda: {str(lane): Counter() for lane in POINTS})
    after_answer: Arm | None = None
    is_over: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    def run(self, planned: dict[Lane, list[Kill]]) -> Outcome:
        """Do the planned kills under load; return the outcome."""
        load = threading.Thread(target=_disconnecting, args=(self._load,))
        lanes = [threading.Thread(target=_disconnecting, args=(self._work_off, *item)) for item in planned.items()]
        for thread in (load, *lanes):
            thread.start()
        for thread in lanes:
            thread.join()
        self.is_over.set()
        load.join()
        self._settle()
        found = violations(self.pair.left, self.pair.right, answered=self.sent, asked=self.asked)
        return Outcome(
            kills={lane: dict(sorted(points.items())) for lane, points in self.done.items()},
            answered=len(self.sent),
            unanswered=len(self.asked) - len(self.sent) - len(self.refused),
            refused=self.refused,
            seconds=round(time.monotonic() - self.started, 1),
            rows=found.rows,
            violations=[*self.seen, *found.violations],
        )

    def _hub_of(self, lane: Lane) -> Hub:
        return self.pair.left if lane.hub == self.pair.left.name else self.pair.right

    # The kills ------------------------------------------------------------------------------------------------------
    def _work_off(self, lane: Lane, kills: list[Kill]) -> None:
        left = deque(enumerate(kills))
        while left and time.monotonic() - self.started < self.limit_seconds:
            number, kill = left.popleft()
            try:
                happened = self._kill(lane, kill, f"{lane.hub}-{lane.program}-{number}")
            except Exception as exc:  # noqa: BLE001 - a lane that stops is a finding, not the end of the others
                self.seen.append(f"{lane}, {kill.point}: {type(exc).__name__}: {exc}")
                return
            if not happened:
                left.append((number, kill))
        if left:
            self.seen.append(f"{lane}: no time for {len(left)} kills, the next at {left[0][1].point}")

    def _kill(self, lane: Lane, kill: Kill, kill_id: str) -> bool:
        """Kill once; False if the point was not reached, so that the kill can be tried again later."""
        hub = self._hub_of(lane)
        process = hub.processes[lane.program]
        watched = self._arm(lane, kill, kill_id, process.pid)
        if not self._has_fired(watched, process) and self._disarm(lane, kill):
            return False
        self.done[str(lane)][kill.point] += 1
        if kill.alone:
            return True
        process.wait(timeout=20)
        # What granian or celery started may outlive their first process for a moment.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if kill.point.endswith(".answered"):
            self._check_row(kill.point, kill_id)
        hub.start(lane.program)
        return True

    def _has_fired(self, watched: Path, process: subprocess.Popen[bytes]) -> bool:
        deadline, ended = time.monotonic() + REACH_SECONDS, 0.0
        while not watched.exists():
            if process.poll() is not None:
                # A process that kills from outside records the kill just after.
                ended = ended or time.monotonic()
                if time.monotonic() > ended + SAY_SECONDS:
                    raise RuntimeError(f"the process ended by itself with {process.returncode}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _disarm(self, lane: Lane, kill: Kill) -> bool:
        """Take an arm back; False if it has fired at this moment."""
        if kill.point == "create.answered":
            arm, self.after_answer = self.after_answer, None
            return arm is not None
        by = ANSWERED_TO.get(kill.point)
        try:
            arm_path(self._hub_of(by or lane).folder, (by or lane).program, "other" if by else "own").unlink()
        except FileNotFoundError:
            return False
        return True

    def _arm(self, lane: Lane, kill: Kill, kill_id: str, group: int) -> Path:
        """Arm a point, and return the file that appears when the kill happens."""
        if kill.point == "create.answered":
            self.after_answer = Arm(kill_id, kill.point, kill.passes, group)
            return fired_path(self.pair.left.folder, kill_id)
        by = ANSWERED_TO.get(kill.point)
        folder = self._hub_of(by or lane).folder
        arm = Arm(kill_id, kill.point, kill.passes, group if by else -1 if kill.alone else 0)
        write_arm(folder, (by or lane).program, "other" if by else "own", arm)
        return fired_path(folder, kill_id)

    def _check_row(self, point: str, kill_id: str) -> None:
        """Check that the row of a request answered with 200 exists, while the answering process is dead."""
        left, right = self.pair.left, self.pair.right
        watcher = right if point == "callback.answered" else left
        line = next(line for line in reversed(read_lines(kill_log(watcher.folder))) if line["id"] == kill_id)
        subject = line["subject"]
        if point == "create.answered":
            rows = left.stored(Dispatch).filter(pk=subject).count()
        elif point == "dispatch.answered":
            rows = right.stored(ReceivedDispatch).filter(dispatch_id=subject).count()
        else:
            key = right.stored(OutboundCallback).get(pk=subject).idempotency_key
            digest = hashlib.sha256(key.encode()).hexdigest()
            rows = left.stored(InboundCallback).filter(dedup_key=f"key:{digest}").count()
        if rows != 1:
            self.seen.append(f"{point}: {rows} rows of {subject}, which was answered with 200")

    # The load -------------------------------------------------------------------------------------------------------
    def _load(self) -> None:
        with httpx.Client(base_url=self.pair.left.url, headers={"X-API-Key": self.pair.token}, timeout=15) as client:
            while not self.is_over.is_set():
                if self._in_flight() >= IN_FLIGHT:
                    time.sleep(0.05)
                else:
                    self._dispatch(client)

    def _in_flight(self) -> int:
        return self.pair.left.stored(Dispatch).filter(finished_at=None).count()

    def _dispatch(self, client: httpx.Client) -> None:
        intent_id = f"k-{len(self.asked):05d}"
        self.asked.append(intent_id)
        body = {"intent_id": intent_id, "target_server": self.pair.right.url, "agent_id": "analyst"}
        try:
            answer = client.post("/api/v1/federation/dispatch", json=body)
        except httpx.ConnectError:
            self.asked.pop()  # it was never sent: the process is being started again
            time.sleep(0.1)
            return
        except httpx.HTTPError:
            return  # killed on the way: it may be stored, or not
        if answer.status_code != 200:
            self.refused.append(f"{intent_id}: HTTP {answer.status_code} {answer.text[:200]}")
            return
        dispatch_id = str(answer.json()["dispatch_id"])
        self.sent[dispatch_id] = intent_id
        self._kill_after_answer(dispatch_id)

    def _kill_after_answer(self, dispatch_id: str) -> None:
        arm = self.after_answer
        if arm is None:
            return
        if arm.passes > 1:
            self.after_answer = Arm(arm.id, arm.point, arm.passes - 1, arm.group)
            return
        self.after_answer = None
        os.killpg(arm.group, signal.SIGKILL)
        folder = self.pair.left.folder
        append(kill_log(folder), {"id": arm.id, "point": arm.point, "subject": dispatch_id, "at": time.time()})
        fired_path(folder, arm.id).touch()

    # The end --------------------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        hubs = (self.pair.left, self.pair.right)
        for hub in hubs:
            for program in ("web", "worker"):
                for slot in ("own", "other"):
                    arm_path(hub.folder, program, slot).unlink(missing_ok=True)
                if hub.processes[program].poll() is not None:
                    hub.start(program)
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(unsettled(hub) for hub in hubs):
            if time.monotonic() > deadline:
                self.seen.append(f"not settled: {[unsettled(hub) for hub in hubs]} rows are still due")
                return
            time.sleep(0.2)
