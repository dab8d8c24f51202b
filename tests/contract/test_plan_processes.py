"""Stored plans, applied by processes that are killed or that run at the same time."""

from __future__ import annotations

import signal
import subprocess

import pytest

from core.actors import Actor
from federations.models import Federation, McpServer, PlannedChange, StoredPlan, SyncJob
from federations.services.stored_plans.make import create_plan
from federations.sync.resources import Finding
from tests.contract.test_sync_processes import (
    federation,  # noqa: F401 (fixture)
    names_and_versions,
    processes,  # noqa: F401 (fixture)
    wait_for,
    wait_for_the_lease_to_lapse,
)
from tests.findings import agent, server
from tests.memory_hub import provider, start_process
from tests.memory_provider import MemoryProvider

pytestmark = [pytest.mark.django_db(transaction=True)]

NEW = {"SERVERS": "one,three", "VERSION": "2"}


def make_plan(federation: Federation) -> StoredPlan:  # noqa: F811
    """Return the plan of the account that `start_process(…, **NEW)` lists."""
    findings: list[Finding] = [*(server(name, version="2") for name in ("one", "three")), agent("helper")]
    with provider(MemoryProvider(findings=findings)):
        return create_plan(Federation.objects.get(id=federation.id), by=Actor("1", "tests"))


def sync_before(federation: Federation, processes: list[subprocess.Popen[str]]) -> None:  # noqa: F811
    first = start_process(federation.id, SERVERS="one,two")
    processes.append(first)
    wait_for(first, "done")


@pytest.mark.parametrize("point", ["applying", "written"])
def test_an_apply_that_is_killed_leaves_the_old_state_and_an_open_plan(
    federation: Federation,  # noqa: F811
    processes: list[subprocess.Popen[str]],  # noqa: F811
    point: str,
) -> None:
    sync_before(federation, processes)
    plan, before = make_plan(federation), names_and_versions()
    killed = start_process(federation.id, point, PLAN=plan.id, **NEW)
    processes.append(killed)
    wait_for(killed, point)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    plan.refresh_from_db()
    assert (names_and_versions(), plan.status) == (before, "open")
    wait_for_the_lease_to_lapse()

    again = start_process(federation.id, PLAN=plan.id, **NEW)
    processes.append(again)
    wait_for(again, "done")
    plan.refresh_from_db()
    assert (names_and_versions(), plan.status) == ([("one", "2"), ("three", "2")], "applied")
    applied = SyncJob.objects.get(plan_id=plan.id, status="success")
    assert PlannedChange.objects.filter(plan=plan, job=applied).count() == 3


def test_of_several_appliers_at_once_exactly_one_applies(
    federation: Federation,  # noqa: F811
    processes: list[subprocess.Popen[str]],  # noqa: F811
) -> None:
    sync_before(federation, processes)
    plan = make_plan(federation)
    winner = start_process(federation.id, "applying", PLAN=plan.id, **NEW)
    processes.append(winner)
    wait_for(winner, "applying")
    losers = [start_process(federation.id, PLAN=plan.id, **NEW) for _ in range(2)]
    processes.extend(losers)
    for loser in losers:
        wait_for(loser, "lost Federation in sync status 'syncing' cannot start a new sync")
    assert winner.stdin is not None
    winner.stdin.write("go on\n")
    winner.stdin.flush()
    wait_for(winner, "done")
    late = start_process(federation.id, PLAN=plan.id, **NEW)
    processes.append(late)
    wait_for(late, "lost Plan in status 'applied' cannot be applied")
    assert SyncJob.objects.filter(plan_id=plan.id).count() == 1
    assert McpServer.objects.count() == 2
