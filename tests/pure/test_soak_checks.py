"""The comparisons of a soak find nothing in a good record, and each finds what is wrong in a bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.soak.checks import find_violations
from benchmarks.soak.records import Asked, Content, Evidence, Outage, Run, Sent, Sync, Waiting

INTERVAL, GRACE = 30.0, 10.0
MCP = Content("MCP", "2", "A server", ("lookup",))


def sync(number: int, started: float, seconds: float = 2.0) -> Sync:
    return Sync(f"job-{number}", "f-1", "schedule", "success", 1000 + started, 1000 + started + seconds)


def good() -> Evidence:
    """Return what a soak of two minutes without a fault finds; PostgreSQL was away from second 60 to 85."""
    return Evidence(
        began=1000.0,
        ended=1120.0,
        federations={"200": "f-1"},
        syncs=[sync(1, 10), sync(2, 40), sync(3, 100)],
        outages=[Outage("postgresql", 1060, 1085)],
        waiting=[Waiting("sync job", "job-1", "success", True, False, False)],
        stored={"200": {"arn": MCP}},
        wanted={"200": {"arn": MCP}},
        sent=[Sent("d-1", "completed", 1, 1, True)],
        asked=Asked({"d-1"}),
        runs=[Run("r-1", "completed", 1, "")],
        asked_runs=Asked({"r-1"}),
    )


def found(evidence: Evidence) -> dict[str, int]:
    violations = find_violations(evidence, interval=INTERVAL, grace=GRACE)
    return {name: len(lines) for name, lines in violations.items() if lines}


def test_a_good_record_has_no_violation() -> None:
    assert found(good()) == {}


def overlap(evidence: Evidence) -> None:
    evidence.syncs.append(sync(4, 41))


def overlap_with_one_that_did_not_end(evidence: Evidence) -> None:
    evidence.syncs[0] = replace(evidence.syncs[0], finished=None)


def lose_a_sync(evidence: Evidence) -> None:
    del evidence.syncs[1]


def forget_the_outage(evidence: Evidence) -> None:
    evidence.outages.clear()


def lose_all_syncs(evidence: Evidence) -> None:
    evidence.syncs.clear()


def double_syncs(evidence: Evidence) -> None:
    evidence.syncs[:] = [sync(number, 10 + 15 * number) for number in range(7)]


def leave_a_row(**change: object) -> Callable[[Evidence], None]:
    def spoil(evidence: Evidence) -> None:
        evidence.waiting[0] = replace(evidence.waiting[0], **change)  # type: ignore[arg-type]

    return spoil


def differ(content: Content | None) -> Callable[[Evidence], None]:
    def spoil(evidence: Evidence) -> None:
        evidence.stored = {"200": {"arn": content}} if content else {}

    return spoil


def send(**change: object) -> Callable[[Evidence], None]:
    def spoil(evidence: Evidence) -> None:
        evidence.sent[0] = replace(evidence.sent[0], **change)  # type: ignore[arg-type]

    return spoil


def lose_a_dispatch(evidence: Evidence) -> None:
    evidence.asked.answered.add("d-2")


def end_a_run(**change: object) -> Callable[[Evidence], None]:
    def spoil(evidence: Evidence) -> None:
        evidence.runs[0] = replace(evidence.runs[0], **change)  # type: ignore[arg-type]

    return spoil


def lose_a_run(evidence: Evidence) -> None:
    evidence.asked_runs.answered.add("r-2")


SPOILS: dict[str, tuple[str, Callable[[Evidence], None]]] = {
    "two at once": ("overlapping syncs", overlap),
    "one that never ended": ("overlapping syncs", overlap_with_one_that_did_not_end),
    "a missing sync": ("lost schedules", lose_a_sync),
    "a wait without an outage": ("lost schedules", forget_the_outage),
    "no sync": ("lost schedules", lose_all_syncs),
    "twice as many": ("doubled schedules", double_syncs),
    "open": ("stuck rows", leave_a_row(has_ended=False)),
    "due": ("stuck rows", leave_a_row(is_due=True)),
    "leased": ("stuck rows", leave_a_row(is_leased=True)),
    "an old version": ("differences from the sandbox", differ(replace(MCP, version="1"))),
    "other tools": ("differences from the sandbox", differ(replace(MCP, items=()))),
    "another text": ("differences from the sandbox", differ(replace(MCP, description=""))),
    "a missing resource": ("differences from the sandbox", differ(None)),
    "an open dispatch": ("dispatches", send(status="accepted")),
    "no end": ("dispatches", send(ends=0)),
    "two ends": ("dispatches", send(ends=2)),
    "two receipts": ("dispatches", send(receipts=2)),
    "no time of the end": ("dispatches", send(has_finished=False)),
    "a lost dispatch": ("dispatches", lose_a_dispatch),
    "a failed run": ("runs", end_a_run(state="failed")),
    "a run with two ends": ("runs", end_a_run(ends=2)),
    "a lost run": ("runs", lose_a_run),
}


@pytest.mark.parametrize("name", SPOILS)
def test_each_check_finds_what_is_wrong(name: str) -> None:
    check, spoil = SPOILS[name]
    evidence = good()
    spoil(evidence)
    assert set(found(evidence)) == {check}
