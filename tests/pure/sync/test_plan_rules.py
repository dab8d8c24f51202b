"""The rules of the plan for one runtime, a table for each rule."""

from dataclasses import dataclass

import pytest

from federations.sync.changes import StoredResource
from federations.sync.plan import make_plan
from federations.sync.resources import Finding, RuntimeAccess
from tests.pure.sync.values import (
    A2A,
    IAM,
    JWT,
    MCP,
    agent,
    failed,
    server,
    shown,
    stored,
    unchanged,
    unsupported,
)

OTHER_AUDIENCE = RuntimeAccess("jwt", JWT.discovery_url, ("somebody-else",))


@dataclass(frozen=True)
class Case:
    """A sentence, the stored resources, the findings and the expected changes."""

    sentence: str
    rows: list[StoredResource]
    findings: list[Finding]
    expected: list[str]


def check(case: Case) -> None:
    assert shown(make_plan(case.rows, case.findings).changes) == case.expected


NEW = [
    Case("nothing of nothing", [], [], []),
    Case("a new server is created", [], [server("a")], ["create mcp_server a a-id: new server"]),
    Case("a new agent is created", [], [agent("a")], ["create a2a_agent a a-id: new agent"]),
    Case(
        "a server and an agent of one name are two resources",
        [],
        [server("a", "1"), agent("a", "2")],
        ["create a2a_agent a 2: new agent", "create mcp_server a 1: new server"],
    ),
    Case("a runtime of neither protocol is no change", [], [unsupported("a"), unchanged("b", kind=None)], []),
    Case(
        "a runtime that was seen but is not stored is an error, since nothing was asked of it",
        [],
        [unchanged("a")],
        ["error mcp_server a a-id: observed before, but not stored; the next sync reads it again"],
    ),
]

SAME = [
    Case(
        "a server found as stored is unchanged", [stored(server("a"))], [server("a")], ["unchanged mcp_server a a-id"]
    ),
    Case("an agent found as stored is unchanged", [stored(agent("a"))], [agent("a")], ["unchanged a2a_agent a a-id"]),
    Case(
        "one that was not asked again is unchanged",
        [stored(server("a"))],
        [unchanged("a")],
        ["unchanged mcp_server a a-id"],
    ),
    Case(
        "another version in the ARN alone changes nothing",
        [stored(server("a", suffix=":1"))],
        [server("a", suffix=":2")],
        ["unchanged mcp_server a a-id"],
    ),
    Case(
        "the same access by another object changes nothing",
        [stored(agent("a", access=JWT))],
        [agent("a", access=RuntimeAccess("jwt", JWT.discovery_url, JWT.audiences))],
        ["unchanged a2a_agent a a-id"],
    ),
]

UPDATED = [
    Case(
        "another version",
        [stored(server("a"))],
        [server("a", version="2")],
        ["update mcp_server a a-id: runtimeVersion: 1 -> 2"],
    ),
    Case(
        "an older version too, since the account is the truth",
        [stored(agent("a", version="3"))],
        [agent("a", version="2")],
        ["update a2a_agent a a-id: runtimeVersion: 3 -> 2"],
    ),
    Case(
        "another mode of access",
        [stored(server("a", access=IAM))],
        [server("a", access=JWT)],
        ["update mcp_server a a-id: runtimeAccess changed"],
    ),
    Case(
        "another audience",
        [stored(agent("a", access=JWT))],
        [agent("a", access=OTHER_AUDIENCE)],
        ["update a2a_agent a a-id: runtimeAccess changed"],
    ),
    Case(
        "a runtime whose last enrichment had failed",
        [stored(server("a"), last_error="timed out")],
        [server("a")],
        ["update mcp_server a a-id: last enrichment had failed"],
    ),
    Case(
        "all three at once, each named",
        [stored(server("a"), last_error="timed out")],
        [server("a", version="2", access=JWT)],
        ["update mcp_server a a-id: runtimeVersion: 1 -> 2, runtimeAccess changed, last enrichment had failed"],
    ),
]

DELETED = [
    Case(
        "not found any more",
        [stored(server("a"))],
        [],
        ["delete mcp_server a a-id: no longer discovered"],
    ),
    Case(
        "HTTP now",
        [stored(server("a"))],
        [unsupported("a", protocol="HTTP")],
        ["delete mcp_server a a-id: protocol is now HTTP"],
    ),
    Case(
        "no protocol now",
        [stored(agent("a"))],
        [unsupported("a", protocol="")],
        ["delete a2a_agent a a-id: protocol is now not set"],
    ),
    Case(
        "neither protocol, as last seen",
        [stored(agent("a"))],
        [unchanged("a", kind=None)],
        ["delete a2a_agent a a-id: now neither MCP nor A2A"],
    ),
    Case(
        "the same id in another region is another runtime",
        [stored(server("a"), region="eu-west-1")],
        [server("a")],
        ["create mcp_server a a-id: new server", "delete mcp_server a a-id: no longer discovered"],
    ),
    Case(
        "the same id in another account is another runtime",
        [stored(server("a"), account="999999999999")],
        [server("a")],
        ["create mcp_server a a-id: new server", "delete mcp_server a a-id: no longer discovered"],
    ),
]

REPLACED = [
    Case(
        "MCP to A2A is one delete and one create",
        [stored(server("a"))],
        [agent("a")],
        ["create a2a_agent a a-id: new agent", "delete mcp_server a a-id: now an A2A agent"],
    ),
    Case(
        "A2A to MCP is one delete and one create",
        [stored(agent("a"))],
        [server("a")],
        ["delete a2a_agent a a-id: now an MCP server", "create mcp_server a a-id: new server"],
    ),
    Case(
        "the kind that a runtime had before goes once the other is stored",
        [stored(server("a")), stored(agent("a"))],
        [unchanged("a", kind=A2A)],
        ["unchanged a2a_agent a a-id", "delete mcp_server a a-id: now an A2A agent"],
    ),
    Case(
        "recreated under its name is a delete and a create",
        [stored(server("a", "old"))],
        [server("a", "new")],
        ["create mcp_server a new: new server", "delete mcp_server a old: no longer discovered"],
    ),
    Case(
        "renamed is a delete and a create, since the path follows the name",
        [stored(server("a", "1"))],
        [server("b", "1")],
        ["delete mcp_server a 1: renamed to b", "create mcp_server b 1: new server"],
    ),
    Case(
        "renamed to a name with the same path",
        [stored(server("Pay", "1"))],
        [server("pay", "1")],
        ["delete mcp_server Pay 1: renamed to pay", "create mcp_server pay 1: new server"],
    ),
    Case(
        "two runtimes may swap their names",
        [stored(server("a", "1")), stored(server("b", "2"))],
        [server("b", "1"), server("a", "2")],
        [
            "delete mcp_server a 1: renamed to b",
            "create mcp_server a 2: new server",
            "create mcp_server b 1: new server",
            "delete mcp_server b 2: renamed to a",
        ],
    ),
]

PROTECTED = [
    Case(
        "a failed runtime that is not stored is an error alone",
        [],
        [failed("a", kind=MCP)],
        ["error mcp_server a a-id: timed out"],
    ),
    Case(
        "a failed server stays",
        [stored(server("a"))],
        [failed("a", kind=MCP, version="2")],
        ["error mcp_server a a-id: timed out"],
    ),
    Case(
        "a failed agent stays",
        [stored(agent("a"))],
        [failed("a", kind=A2A)],
        ["error a2a_agent a a-id: timed out"],
    ),
    Case(
        "unknown kind: a stored server stays", [stored(server("a"))], [failed("a")], ["error unknown a a-id: timed out"]
    ),
    Case(
        "unknown kind: a stored agent stays", [stored(agent("a"))], [failed("a")], ["error unknown a a-id: timed out"]
    ),
    Case(
        "now an agent, but it failed: the stored server stays",
        [stored(server("a"))],
        [failed("a", kind=A2A)],
        ["error a2a_agent a a-id: timed out"],
    ),
    Case(
        "now a server, but it failed: the stored agent stays",
        [stored(agent("a"))],
        [failed("a", kind=MCP)],
        ["error mcp_server a a-id: timed out"],
    ),
    Case(
        "failed under another name: it stays",
        [stored(server("a", "1"))],
        [failed("b", "1")],
        ["error unknown b 1: timed out"],
    ),
    Case(
        "last seen as an agent that is not stored: the stored server stays",
        [stored(server("a"))],
        [unchanged("a", kind=A2A)],
        ["error a2a_agent a a-id: observed before, but not stored; the next sync reads it again"],
    ),
    Case(
        "a failed runtime of another id protects nothing",
        [stored(server("a", "1"))],
        [failed("a", "2")],
        ["error unknown a 2: timed out", "delete mcp_server a 1: no longer discovered"],
    ),
]


def table(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in cases])


@table(NEW)
def test_a_runtime_that_is_not_stored(case: Case) -> None:
    check(case)


@table(SAME)
def test_an_unchanged_resource_is_left_alone(case: Case) -> None:
    check(case)


@table(UPDATED)
def test_a_difference_is_an_update_and_the_reason_names_it(case: Case) -> None:
    check(case)


@table(DELETED)
def test_a_resource_without_a_finding_is_deleted(case: Case) -> None:
    check(case)


@table(REPLACED)
def test_another_kind_id_or_name_is_a_delete_and_a_create(case: Case) -> None:
    check(case)


@table(PROTECTED)
def test_a_failure_never_deletes_a_stored_resource(case: Case) -> None:
    check(case)


def test_an_update_carries_both_sides() -> None:
    old, new = stored(server("a")), server("a", version="2")
    (change,) = make_plan([old], [new]).changes
    assert (getattr(change, "old", None), getattr(change, "new", None)) == (old, new)


def test_changes_are_sorted_by_kind_and_name() -> None:
    found: list[Finding] = [server("b"), server("a"), agent("d"), agent("c"), failed("z")]
    assert [(c.kind, c.name) for c in make_plan([], found).changes] == [
        (None, "z"), (A2A, "c"), (A2A, "d"), (MCP, "a"), (MCP, "b"),
    ]  # fmt: skip
