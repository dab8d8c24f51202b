"""Runs a soak from its start to its findings."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connections

from benchmarks.soak.accounts import Accounts
from benchmarks.soak.checks import find_violations, net_waits
from benchmarks.soak.collect import open_rows, read_runs, read_sent, read_stored, read_syncs, read_waiting, read_wanted
from benchmarks.soak.disturbances import GRACE_SECONDS, Disturbances, plan_kills, plan_stops
from benchmarks.soak.load import Load
from benchmarks.soak.mixed import Mixed
from benchmarks.soak.prepare import Prepared, prepare
from benchmarks.soak.records import Evidence
from benchmarks.soak.stack import Stack, soak_stack
from tests.sandbox_server import start_sandbox

SETTLE_SECONDS = 180.0
# A hanging runtime keeps its sync this long, so the calm sync of its federation comes that late.
CALM_SECONDS = 120.0
# The runtimes of an account.
SIZE, MIXED_SIZE = 3, 12
# Federations without a schedule, which clients of the mixed load sync.
MIXED_SPARE = 5


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """The size of a soak, and the seed of its changes, faults and kills.

    `is_mixed` is the mixed load on a hub that nothing disturbs; the numbers of kills and stops are then 0.
    """

    seconds: float
    federations: int = 50
    interval_seconds: int = 30
    kill_seconds: float = 20.0
    stops_of_each: int = 2
    stopped_seconds: float = 8.0
    seed: int = 1
    is_mixed: bool = False


@dataclass(slots=True)
class SoakOutcome:
    """The figures of a soak, and its violations by the name of the check."""

    seconds: float
    figures: dict[str, Any]
    violations: dict[str, list[str]]
    trouble: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Tell whether the soak found nothing."""
        return not self.trouble and not any(self.violations.values())


def run_soak(folder: Path, plan: SoakPlan) -> tuple[SoakOutcome, Evidence]:
    """Run the soak in `folder`; return its outcome and the evidence."""
    with (
        start_sandbox(runtimes=0) as sandbox,
        soak_stack(folder, sandbox, interval_seconds=plan.interval_seconds) as stack,
    ):
        size, spare = (MIXED_SIZE, MIXED_SPARE) if plan.is_mixed else (SIZE, 0)
        accounts = Accounts(
            sandbox.admin, plan.federations, random.Random(plan.seed), spare, size, has_faults=not plan.is_mixed
        )
        prepared = prepare(stack, accounts)
        stops = [] if plan.is_mixed else plan_stops(plan.seconds, plan.stops_of_each)
        kills = [] if plan.is_mixed else plan_kills(plan.seconds, plan.kill_seconds, random.Random(plan.seed))
        return Soak(plan, stack, accounts, prepared, Disturbances(stack, stops, kills, plan.stopped_seconds)).run()


@dataclass
class Soak:
    """A prepared soak: the stack, its accounts, and what disturbs it."""

    plan: SoakPlan
    stack: Stack
    accounts: Accounts
    prepared: Prepared
    disturbances: Disturbances
    trouble: list[str] = field(default_factory=list)

    def run(self) -> tuple[SoakOutcome, Evidence]:
        """Disturb and load the hub, let it settle, and compare."""
        load = Load(self.stack, self.prepared)
        mixed = Mixed(self.stack, self.prepared, self.plan.seed) if self.plan.is_mixed else None
        if mixed:
            mixed.prepare()
        self.prepared.schedule(self.plan.interval_seconds)
        began = time.time()
        self._work(load, mixed)
        ended = time.time()
        self.trouble += [*self.accounts.seen, *self.disturbances.seen]
        if mixed:
            self.trouble += [*mixed.faults(), *load.faults()]
        self._settle()
        evidence = self._collect(began, ended, load)
        violations = find_violations(evidence, interval=self.plan.interval_seconds, grace=GRACE_SECONDS)
        figures = self._figures(evidence) | ({"answers": mixed.figures()} if mixed else {})
        return SoakOutcome(round(ended - began, 1), figures, violations, self.trouble), evidence

    def _work(self, load: Load, mixed: Mixed | None) -> None:
        """Run all threads for the time of the plan; they end too if this process is told to stop."""
        is_over = threading.Event()
        threads = [
            threading.Thread(target=work, args=(is_over,), name=work.__qualname__)
            for work in (self.accounts.disturb, self.disturbances.run)
        ]
        try:
            load.start(is_over)
            if mixed:
                mixed.start(is_over)
            for thread in threads:
                thread.start()
            is_over.wait(self.plan.seconds)
        finally:
            is_over.set()
            for thread in threads:
                if thread.ident:
                    thread.join()
            load.join()
            if mixed:
                mixed.join()

    # The end ----------------------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        """End the faults, wait for a sync of each federation from now on, then end the schedules and the work."""
        # PostgreSQL was stopped meanwhile, which ended the connection of this process.
        connections.close_all()
        self.accounts.calm()
        calm_since = time.time()
        self._wait(
            lambda: self._synced_since(calm_since), CALM_SECONDS, "not every federation was synced after the end"
        )
        self.prepared.schedule(None)
        self._wait(lambda: not any(map(open_rows, (self.stack.hub, self.stack.peer))), SETTLE_SECONDS, "rows are open")
        connections.close_all()

    def _synced_since(self, calm_since: float) -> bool:
        done = {
            sync.federation
            for sync in read_syncs(self.stack.hub)
            if sync.status == "success" and (sync.started or 0) > calm_since
        }
        return done >= set(self.prepared.federations.values())

    def _wait(self, probe: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > deadline:
                self.trouble.append(f"after {seconds:g} s {what}")
                return
            time.sleep(0.5)

    def _collect(self, began: float, ended: float, load: Load) -> Evidence:
        hub, peer, federations = self.stack.hub, self.stack.peer, self.prepared.federations
        load.to_hub.answered |= load.to_peer.answered
        load.to_hub.unanswered += load.to_peer.unanswered
        return Evidence(
            began=began,
            ended=ended,
            federations=federations,
            syncs=[sync for sync in read_syncs(hub) if sync.federation in federations.values()],
            outages=self.disturbances.outages,
            waiting=[*read_waiting(hub), *read_waiting(peer)],
            stored=read_stored(hub, {federation: account for account, federation in federations.items()}),
            wanted=read_wanted(self.stack.sandbox.admin, set(federations)),
            sent=[*read_sent(hub, peer), *read_sent(peer, hub)],
            asked=load.to_hub,
            runs=read_runs(hub),
            asked_runs=load.runs,
        )

    def _figures(self, evidence: Evidence) -> dict[str, Any]:
        syncs = [sync for sync in evidence.syncs if evidence.began <= (sync.started or 0) <= evidence.ended]
        lasted = [(sync.finished or 0) - (sync.started or 0) for sync in syncs]
        waits = net_waits(
            evidence.syncs, evidence.federations.values(), (evidence.began, evidence.ended), evidence.outages
        )
        counts = sorted(sum(sync.federation == key for sync in syncs) for key in evidence.federations.values())
        return {
            "syncs": len(syncs),
            "syncs that failed": sum(sync.status == "failed" for sync in syncs),
            "syncs of a federation, fewest and most": [counts[0], counts[-1]],
            "seconds of a sync, median and longest": _middle_and_longest(lasted),
            "seconds between syncs without outages, median and longest": _middle_and_longest(
                [wait.seconds for wait in waits]
            ),
            "dispatches": len(evidence.sent),
            "requests for dispatches without an answer": evidence.asked.unanswered,
            "runs": len(evidence.runs),
            "requests for runs without an answer": evidence.asked_runs.unanswered,
            "resources": sum(map(len, evidence.stored.values())),
            "changes and faults of the cloud": dict(sorted(self.accounts.done.items())),
            "kills": dict(sorted(self.disturbances.killed.items())),
            "programs that ended by themselves": dict(self.stack.supervisor.ended),
            "stops of servers": [asdict(stop) for stop in self.disturbances.stops],
        }


def _middle_and_longest(seconds: list[float]) -> list[float]:
    return [round(median(seconds), 2), round(max(seconds), 1)] if seconds else []
