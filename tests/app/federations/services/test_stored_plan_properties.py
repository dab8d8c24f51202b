"""For any stored state and any account: an apply of a plan equals a sync at the moment of the plan, or changes nothing.

Each example makes two federations with equal registries by turns: one applies a plan, the other one syncs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from core.actors import Actor
from core.errors import HubError
from core.store.unit_of_work import REGISTRY
from federations.models import (
    A2aAgent,
    Federation,
    JobTrigger,
    McpServer,
    PlannedChange,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.services.run import run_sync
from federations.services.start import start_sync
from federations.services.stored_plans.apply import start_apply
from federations.services.stored_plans.basis import StalePlanError
from federations.services.stored_plans.make import create_plan
from federations.sync.resources import (
    EnrichedMcpServer,
    Finding,
    ResourceKind,
    SyncWarning,
    UnavailableRuntime,
    UnsupportedRuntime,
)
from tests.app.federations.services.plan_steps import whole_state
from tests.examples import examples
from tests.findings import agent, failure, runtime, server
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

pytestmark = pytest.mark.django_db(transaction=True)

ME = Actor("1", "tests")


def incomplete(name: str) -> EnrichedMcpServer:
    found = server(name, version="3")
    warning = SyncWarning("listing", "prompts/list", found.runtime.runtime_id, "error -32603")
    catalog = replace(found.catalog, lost_listings=frozenset({"prompts"}), warnings=(warning,))
    return replace(found, catalog=catalog)


def in_place_of(name: str, other: str) -> Finding:
    """Return another runtime under the name, so that the path is claimed by two."""
    found = server(name)
    return replace(found, runtime=replace(found.runtime, runtime_id=f"{other}-0123456789"))


FORMS: dict[str, Callable[[str], Finding | None]] = {
    "absent": lambda name: None,
    "server": server,
    "changed server": lambda name: server(name, version="2", tools=("look_up", "book")),
    "incomplete server": incomplete,
    "agent": agent,
    "failed": failure,
    "not called": lambda name: UnavailableRuntime(
        replace(runtime(name), status="CREATE_FAILED"), ResourceKind.MCP_SERVER
    ),
    "unsupported": lambda name: UnsupportedRuntime(runtime(name, protocol="HTTP")),
    "renamed": lambda name: in_place_of("shared", name),
}
NAMES = ("alpha", "beta", "gamma", "delta")


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Finding, ...]:
    found = [FORMS[draw(st.sampled_from(sorted(FORMS)))](name) for name in NAMES]
    return tuple(finding for finding in found if finding is not None)


def outcome(federation: Federation, findings: Sequence[Finding]) -> SyncJob:
    with provider(MemoryProvider(findings=findings)):
        return run_sync(start_sync(Federation.objects.get(id=federation.id), by=ME).id)


def make(federation: Federation, findings: Sequence[Finding]) -> StoredPlan:
    with provider(MemoryProvider(findings=findings)):
        plan = create_plan(Federation.objects.get(id=federation.id), by=ME)
    return StoredPlan.objects.select_related("federation").get(id=plan.id)


def apply(plan: StoredPlan, findings: Sequence[Finding]) -> SyncJob:
    def asked(request: object) -> None:
        raise AssertionError("the runtimes were asked")

    with provider(MemoryProvider(findings=findings, before_answer=asked)):
        return run_sync(start_apply(plan, digest=plan.digest, by=ME, trigger=JobTrigger.API).id)


def new_federation() -> Federation:
    for model in (PlannedChange, StoredPlan, SyncJob, McpServer, A2aAgent, RuntimeObservation, Federation):
        model._default_manager.all().delete()
    return Federation.objects.create(display_name="Any", provider_config={"region": "us-east-1"})


def changes_of(job: SyncJob) -> list[tuple[Any, ...]]:
    return list(job.change_rows.values_list("action", "kind", "name", "reason", "change_class"))


@pytest.fixture(scope="module", autouse=True)
def own_index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("index")
    with override_settings(SEARCH_PATH=str(folder / "search.sqlite3")):
        yield


# The rules are the same on each store; on the others a few examples show that the rows are too.
EXAMPLES = 25 if connections[REGISTRY].vendor == "sqlite" else 8


@examples(EXAMPLES)
@given(accounts(), accounts())
def test_an_apply_equals_a_sync(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> None:
    federation = new_federation()
    outcome(federation, before)
    job = apply(make(federation, after), after)
    applied, changes = whole_state(), changes_of(job)
    federation = new_federation()
    outcome(federation, before)
    synced = outcome(federation, after)
    assert whole_state() == applied
    assert (synced.summary, synced.status, synced.warnings) == (job.summary, job.status, job.warnings)
    assert changes_of(synced) == changes


@examples(EXAMPLES)
@given(accounts(), accounts(), accounts(), st.booleans())
def test_a_plan_from_before_a_change_is_stale_and_changes_nothing(
    before: tuple[Finding, ...], after: tuple[Finding, ...], other: tuple[Finding, ...], is_registry: bool
) -> None:
    federation = new_federation()
    outcome(federation, before)
    plan = make(federation, after)
    basis, listing = dict(plan.basis), MemoryProvider(findings=after)
    if is_registry:
        outcome(federation, other)
    state, jobs = whole_state(), SyncJob.objects.count()
    now = after if is_registry else other
    again = make(federation, after)
    is_same_account = listing.list_runtimes(None) == MemoryProvider(findings=now).list_runtimes(None)  # type: ignore[arg-type]
    if again.basis == basis and again.digest == plan.digest and is_same_account:
        assert apply(plan, now).summary == plan.summary
        return
    with pytest.raises(HubError) as refused:
        apply(plan, now)
    assert isinstance(refused.value, StalePlanError)
    plan.refresh_from_db()
    assert (whole_state(), SyncJob.objects.count(), plan.status) == (state, jobs, "stale")
