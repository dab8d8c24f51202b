"""Properties of every plan, for generated stored resources and findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from federations.sync.changes import Create, Delete, Enriched, Failure, Skip, StoredResource, Unchanged, Update, kind_of
from federations.sync.naming import region_and_account, resource_path
from federations.sync.plan import Plan, make_plan
from federations.sync.resources import (
    FailedRuntime,
    Finding,
    ResourceKind,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
)
from tests.pure.sync.values import (
    A2A,
    ACCOUNT,
    IAM,
    JWT,
    MCP,
    REGION,
    agent,
    apply,
    enriched,
    failed,
    server,
    stored,
    unchanged,
    unsupported,
)

PLURALS = {MCP: "McpServers", A2A: "Agents"}
# Few ids and names, so that runtimes often collide, swap names and want the same path. Three names have one path.
IDS = st.sampled_from([f"id{number}" for number in range(8)])
NAMES = st.sampled_from(["pay", "Pay", "PAY", "ledger", "mail_in", "mail in", "stock", "!!!"])
VERSIONS = st.sampled_from(["1", "2"])
ACCESSES = st.sampled_from([IAM, JWT])
KINDS = st.sampled_from([MCP, A2A])
PLACES = st.sampled_from([(REGION, ACCOUNT)] * 6 + [("eu-west-1", ACCOUNT), (REGION, "999999999999")])


@dataclass(frozen=True)
class Situation:
    """The stored resources of one federation, the findings of its account, and the paths of other owners."""

    rows: list[StoredResource]
    findings: list[Finding]
    taken: frozenset[str]

    def plan(self) -> Plan:
        return make_plan(self.rows, self.findings, self.taken)


@st.composite
def resources(draw: st.DrawFn) -> StoredResource:
    name, runtime_id, version, access = draw(NAMES), draw(IDS), draw(VERSIONS), draw(ACCESSES)
    found: Enriched = server(name, runtime_id, version=version, access=access)
    if draw(st.booleans()):
        found = agent(name, runtime_id, version=version, access=access)
    region, account = draw(PLACES)
    return stored(found, last_error=draw(st.sampled_from(["", "", "timed out"])), region=region, account=account)


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    name, runtime_id, version, access = draw(NAMES), draw(IDS), draw(VERSIONS), draw(ACCESSES)
    match draw(st.sampled_from(["server", "server", "agent", "agent", "last seen", "failed", "unsupported"])):
        case "server":
            return server(name, runtime_id, version=version, access=access)
        case "agent":
            return agent(name, runtime_id, version=version, access=access)
        case "last seen":
            return unchanged(name, runtime_id, kind=draw(st.none() | KINDS), version=version)
        case "failed":
            return failed(name, runtime_id, kind=draw(st.none() | KINDS), version=version)
        case _:
            return unsupported(name, runtime_id)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    drawn = draw(st.lists(resources(), max_size=10, unique_by=(lambda row: row.path, lambda row: row.resource_id)))
    rows = [row for row in drawn if row.path]
    found = draw(st.lists(findings(), max_size=8, unique_by=runtime_id_of))
    paths = [resource_path(kind, name) for kind in PLURALS for name in ("pay", "ledger", "stock")]
    taken = draw(st.frozensets(st.sampled_from(paths), max_size=2))
    return Situation(rows, found, taken - {row.path for row in rows})


def runtime_id_of(finding: Finding) -> str:
    return finding.runtime_id if isinstance(finding, UnchangedRuntime | FailedRuntime) else finding.runtime.runtime_id


def kind_found(finding: Finding) -> ResourceKind | None:
    if isinstance(finding, UnsupportedRuntime | UnavailableRuntime):
        return None
    return finding.kind if isinstance(finding, UnchangedRuntime | FailedRuntime) else kind_of(finding)


def repeated(plan: Plan) -> list[Failure | Skip]:
    return [change for change in plan.changes if isinstance(change, Failure | Skip)]


@given(situations())
def test_planning_again_after_apply_is_all_unchanged_and_the_same_errors_and_skips(now: Situation) -> None:
    first = now.plan()
    after = apply(first, now.rows)
    second = make_plan(after, now.findings, now.taken)
    assert repeated(second) == repeated(first)
    assert {type(change) for change in second.changes} <= {Unchanged, Failure, Skip}
    assert sum(isinstance(change, Unchanged) for change in second.changes) == sum(
        isinstance(change, Create | Update | Unchanged) for change in first.changes
    )


@given(situations())
def test_a_second_run_that_asks_no_healthy_runtime_again_is_all_unchanged(now: Situation) -> None:
    first = now.plan()
    done = {change.runtime_id: change.kind for change in first.changes if isinstance(change, Create | Update)}
    second = [
        unchanged("whatever", key, kind=done[key]) if (key := runtime_id_of(finding)) in done else finding
        for finding in now.findings
    ]
    changes = make_plan(apply(first, now.rows), second, now.taken).changes
    assert {type(change) for change in changes} <= {Unchanged, Failure, Skip}


@given(situations())
def test_counters_add_up(now: Situation) -> None:
    plan = now.plan()
    counts, after = plan.summary.counts, apply(plan, now.rows)
    for kind, plural in PLURALS.items():
        failures = sum(isinstance(change, Failure) and change.kind is kind for change in plan.changes)
        assert counts[f"discovered{plural}"] == sum(kind_found(finding) is kind for finding in now.findings)
        assert counts[f"discovered{plural}"] == failures + sum(
            counts[f"{past}{plural}"] for past in ("created", "updated", "unchanged", "skipped")
        )
        before = sum(row.kind is kind for row in now.rows)
        assert (
            sum(row.kind is kind for row in after) == before - counts[f"deleted{plural}"] + counts[f"created{plural}"]
        )


@given(situations())
def test_each_finding_and_each_stored_row_is_answered_once(now: Situation) -> None:
    changes = now.plan().changes
    errors = Counter(change.runtime_id for change in changes if isinstance(change, Failure))
    assert not errors or max(errors.values()) == 1
    touched = Counter(c.old.resource_id for c in changes if isinstance(c, Update | Delete | Unchanged))
    assert not touched or max(touched.values()) == 1
    answered = {*errors, *(c.runtime_id for c in changes if isinstance(c, Create | Update | Unchanged | Skip))}
    assert answered == {runtime_id_of(finding) for finding in now.findings if _is_answered(finding)}


def _is_answered(finding: Finding) -> bool:
    return isinstance(finding, FailedRuntime) or kind_found(finding) is not None


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_findings_does_not_matter(now: Situation, order: Random) -> None:
    rows, found = list(now.rows), list(now.findings)
    order.shuffle(rows)
    order.shuffle(found)
    assert make_plan(rows, found, now.taken) == now.plan()


@given(situations())
def test_no_two_rows_share_a_path_or_a_runtime_of_one_kind_after_apply(now: Situation) -> None:
    _assert_registry_stays_unique(now, now.plan())


@given(situations())
def test_without_deletes_every_row_stays_and_the_registry_stays_unique(now: Situation) -> None:
    plan = now.plan().without_deletes()
    assert not any(isinstance(change, Delete) for change in plan.changes)
    assert not plan.is_held
    after = {row.resource_id for row in apply(plan, now.rows)}
    assert {row.resource_id for row in now.rows} <= after
    _assert_registry_stays_unique(now, plan)


def _assert_registry_stays_unique(now: Situation, plan: Plan) -> None:
    after = apply(plan, now.rows)
    paths = [row.path for row in after]
    assert len(paths) == len(set(paths))
    assert now.taken.isdisjoint(paths)
    assert "" not in paths
    runtimes = [(row.kind, row.identity) for row in after]
    assert len(runtimes) == len(set(runtimes))


@given(situations())
def test_a_plan_names_only_the_given_rows_and_each_change_has_a_reason(now: Situation) -> None:
    for change in now.plan().changes:
        assert bool(change.reason) is not isinstance(change, Unchanged)
        if isinstance(change, Update | Delete | Unchanged):
            assert change.old in now.rows
        if isinstance(change, Create):
            assert change.path not in now.taken


@given(situations())
def test_a_failed_runtime_keeps_its_stored_resources_as_they_are(now: Situation) -> None:
    changes = now.plan().changes
    broken = {(*region_and_account(c.found.arn), c.runtime_id) for c in changes if isinstance(c, Failure)}
    for change in changes:
        if isinstance(change, Update | Delete | Unchanged):
            assert change.old.identity not in broken


@given(st.integers(0, 40), st.data())
def test_the_guard_holds_exactly_what_loses_more_than_three_in_ten_of_ten_or_more(of: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, of))
    found = [enriched(data.draw(KINDS), f"r{number}") for number in range(of)]
    plan = make_plan([stored(one) for one in found], found[lost:])
    assert plan.is_held is (of >= 10 and lost / of > 0.3)


def test_the_strategy_reaches_every_kind_of_change_and_every_refusal() -> None:
    seen: set[str] = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(situations())
    def collect(now: Situation) -> None:
        for change in now.plan().changes:
            seen.add(change.action)
            seen.update(word for word in ("used by", "renamed", "now an", "neither a letter") if word in change.reason)

    collect()
    wanted = {"create", "update", "delete", "unchanged", "skip", "error", "used by", "renamed", "now an"}
    assert wanted | {"neither a letter"} <= seen
