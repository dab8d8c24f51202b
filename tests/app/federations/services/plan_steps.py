"""The steps of tests of stored plans: sync, make a plan, hold one, apply it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.actors import Actor
from federations.models import (
    A2aAgent,
    Federation,
    JobTrigger,
    McpServer,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.apply import start_apply
from federations.services.stored_plans.described import HeldPlanError
from federations.services.stored_plans.make import create_plan
from federations.sync.resources import Finding
from tests.findings import SEEN_AT, agent, failure, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

ANN, BOB = Actor("1", "ann"), Actor("2", "bob")
LATER = SEEN_AT + timedelta(minutes=1)
BEFORE = (server("kept"), server("changed"), server("gone"), agent("helper"), failure("broken"))
AFTER = (
    server("kept"),
    server("changed", version="2", tools=("look_up", "book")),
    agent("helper", version="2"),
    server("new"),
    failure("broken", error="enrichment failed: 500"),
)
MANY = tuple(server(f"server{number}") for number in range(10))


def fresh(federation: Federation) -> Federation:
    return Federation.objects.get(id=federation.id)


def sync(federation: Federation, *findings: Finding, by: Actor = ANN, force: bool = False) -> SyncJob:
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(fresh(federation), by=by, force=force).id)


def make(federation: Federation, *findings: Finding, by: Actor = ANN) -> StoredPlan:
    with provider(MemoryProvider(findings=findings)):
        return create_plan(fresh(federation), by=by)


def apply(plan: StoredPlan, *findings: Finding, by: Actor = ANN, reason: str = "", digest: str = "") -> SyncJob:
    """Apply the plan while the account lists `findings`; a discovery of the runtimes fails the test."""
    twin = MemoryProvider(findings=findings, before_answer=lambda request: pytest.fail("the runtimes were asked"))
    plan = StoredPlan.objects.select_related("federation").get(id=plan.id)
    with provider(twin):
        job = start_apply(plan, digest=digest or plan.digest, by=by, reason=reason, trigger=JobTrigger.API)
        return run_sync(job.id)


def state(model: Any) -> list[dict[str, Any]]:
    """Return the rows of a model without ids of the hub and times of writing."""
    left_out = {"id", "federation_id", "scope", "enriched_at", "created_at", "updated_at", "error_since"}
    left_out |= {"signature_checked_at"}
    ids = {"server_id", "agent_id"}
    rows = [
        {name: bool(value) if name in ids else value for name, value in row.items() if name not in left_out}
        for row in model._default_manager.values()
    ]
    return sorted(rows, key=_text)


def _text(row: dict[str, Any]) -> str:
    return str(sorted(row.items()))


def whole_state() -> list[list[dict[str, Any]]]:
    return [state(model) for model in (McpServer, A2aAgent, RuntimeObservation)]


def moved(new: Any) -> Any:
    return replace(new, runtime=replace(new.runtime, last_updated_at=LATER))


def hold(federation: Federation, *findings: Finding, by: Actor = ANN) -> StoredPlan:
    with pytest.raises(HeldPlanError):
        sync(federation, *findings, by=by)
    return StoredPlan.objects.select_related("federation").latest("created_at")


def start_unchecked(federation: Federation) -> SyncJob:
    """Start a sync; the memory provider accepts the configuration, which has no role."""
    with provider(MemoryProvider()):
        return start_sync(fresh(federation), by=ANN)


def queue_apply(plan: StoredPlan, *findings: Finding) -> SyncJob:
    plan = StoredPlan.objects.select_related("federation").get(id=plan.id)
    with provider(MemoryProvider(findings=findings)):
        return start_apply(plan, digest=plan.digest, by=ANN, queued=True, trigger=JobTrigger.API)
