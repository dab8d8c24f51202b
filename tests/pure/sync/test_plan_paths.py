"""The assignment of a path that more than one runtime wants."""

from itertools import permutations

import pytest

from federations.sync.changes import Create
from federations.sync.plan import make_plan
from federations.sync.resources import Finding, ResourceKind
from tests.pure.sync.values import A2A, MCP, agent, apply, enriched, failed, server, shown, stored, unchanged

PAY = frozenset({"/agentcore/mcp/pay"})


@pytest.mark.parametrize(
    ("kind", "path", "reason"),
    [
        (MCP, "/agentcore/mcp/pay", "serverName already belongs to another federation"),
        (A2A, "/agentcore/a2a/pay", "path already belongs to another federation"),
    ],
)
def test_a_name_of_another_owner_is_skipped_without_an_error(kind: ResourceKind, path: str, reason: str) -> None:
    plan = make_plan([], [enriched(kind, "pay")], {path})
    assert shown(plan.changes) == [f"skip {kind} pay pay-id: {reason}"]
    assert plan.summary.error_messages == ()
    assert plan.summary.message is None


def test_the_path_decides_not_the_spelling_of_the_name() -> None:
    assert shown(make_plan([], [server("PAY")], PAY).changes) == [
        "skip mcp_server PAY PAY-id: serverName already belongs to another federation"
    ]


def test_an_agent_is_not_in_the_way_of_a_server_of_its_name() -> None:
    assert shown(make_plan([], [agent("pay")], PAY).changes) == ["create a2a_agent pay pay-id: new agent"]


def test_a_runtime_renamed_to_a_name_of_another_owner_loses_its_row_and_is_skipped() -> None:
    assert shown(make_plan([stored(server("old", "1"))], [server("pay", "1")], PAY).changes) == [
        "delete mcp_server old 1: renamed to pay",
        "skip mcp_server pay 1: serverName already belongs to another federation",
    ]


@pytest.mark.parametrize("kind", [MCP, A2A])
def test_of_two_new_runtimes_with_one_path_the_lower_id_wins_and_the_other_is_an_error(kind: ResourceKind) -> None:
    field = "serverName" if kind is MCP else "path"
    found = [enriched(kind, "Pay", "2"), enriched(kind, "pay", "1"), enriched(kind, "PAY", "3")]
    for order in permutations(found):
        assert shown(make_plan([], order).changes) == [
            f"error {kind} PAY 3: {field} is already used by runtime 1",
            f"error {kind} Pay 2: {field} is already used by runtime 1",
            f"create {kind} pay 1: new {'server' if kind is MCP else 'agent'}",
        ]


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(server("pay", "9"), id="found as stored"),
        pytest.param(server("pay", "9", version="2"), id="found in another version"),
        pytest.param(unchanged("pay", "9"), id="not asked again"),
        pytest.param(failed("pay", "9", kind=MCP), id="failed"),
        pytest.param(failed("pay", "9"), id="failed, its kind unknown"),
    ],
)
def test_the_runtime_that_is_stored_under_a_path_keeps_it_whatever_its_id(holder: Finding) -> None:
    rows = [stored(server("pay", "9"))]
    for order in permutations([server("Pay", "1"), holder]):
        plan = make_plan(rows, order)
        assert "error mcp_server Pay 1: serverName is already used by runtime 9" in shown(plan.changes)
        assert [row.runtime_id for row in apply(plan, rows)] == ["9"]


def test_the_holder_of_a_path_keeps_it_under_another_spelling_of_its_name() -> None:
    assert shown(make_plan([stored(server("Pay", "9"))], [server("PAY", "1"), server("pay", "9")]).changes) == [
        "error mcp_server PAY 1: serverName is already used by runtime 9",
        "delete mcp_server Pay 9: renamed to pay",
        "create mcp_server pay 9: new server",
    ]


@pytest.mark.parametrize(
    "leaving",
    [
        pytest.param([], id="gone"),
        pytest.param([agent("pay", "9")], id="an agent now"),
        pytest.param([server("other", "9")], id="renamed"),
        pytest.param([unchanged("pay", "9", kind=None)], id="neither protocol now"),
    ],
)
def test_a_path_is_free_once_its_holder_does_not_use_it(leaving: list[Finding]) -> None:
    plan = make_plan([stored(server("pay", "9"))], [*leaving, server("Pay", "1")])
    assert "create mcp_server Pay 1: new server" in shown(plan.changes)


def test_a_runtime_that_changed_its_kind_into_a_used_path_is_an_error_and_keeps_its_row() -> None:
    rows = [stored(server("Pay", "1")), stored(agent("pay", "2"))]
    assert shown(make_plan(rows, [agent("Pay", "1"), agent("pay", "2")]).changes) == [
        "error a2a_agent Pay 1: path is already used by runtime 2",
        "unchanged a2a_agent pay 2",
    ]


def test_a_runtime_renamed_into_a_used_path_is_an_error_and_keeps_its_row() -> None:
    rows = [stored(server("a", "1")), stored(server("b", "2"))]
    assert shown(make_plan(rows, [server("b", "1"), server("b", "2")]).changes) == [
        "error mcp_server b 1: serverName is already used by runtime 2",
        "unchanged mcp_server b 2",
    ]


def test_a_runtime_renamed_to_nothing_is_an_error_and_keeps_its_row() -> None:
    assert shown(make_plan([stored(server("a", "1"))], [server("!", "1")]).changes) == [
        "error mcp_server ! 1: its name has neither a letter nor a digit"
    ]


def test_a_row_that_an_error_keeps_keeps_its_path_as_well() -> None:
    rows = [stored(server("a", "1")), stored(server("b", "2"))]
    assert shown(make_plan(rows, [server("b", "1"), server("b", "2"), server("a", "0")]).changes) == [
        "error mcp_server a 0: serverName is already used by runtime 1",
        "error mcp_server b 1: serverName is already used by runtime 2",
        "unchanged mcp_server b 2",
    ]


@pytest.mark.parametrize("name", ["", "!!!", " _ ", "---", "Ω"])
@pytest.mark.parametrize("kind", [MCP, A2A])
def test_a_name_without_letter_or_digit_is_an_error(kind: ResourceKind, name: str) -> None:
    (change,) = make_plan([], [enriched(kind, name, "1")]).changes
    assert (change.action, change.kind, change.reason) == ("error", kind, "its name has neither a letter nor a digit")


def test_a_create_carries_its_path() -> None:
    changes = make_plan([], [server("Invoice Tools"), agent("fraud_check")]).changes
    assert [change.path for change in changes if isinstance(change, Create)] == [
        "/agentcore/a2a/fraud-check",
        "/agentcore/mcp/invoice-tools",
    ]


def test_a_refused_runtime_reports_itself_whole() -> None:
    refused = server("!!!", "1", version="7")
    (message,) = make_plan([], [refused]).summary.error_messages
    assert message == "MCP server !!!: its name has neither a letter nor a digit"
    (change,) = make_plan([], [refused]).changes
    found = change.found  # type: ignore[union-attr]
    source = refused.runtime
    assert (found.runtime_id, found.arn, found.version, found.last_updated_at) == (
        source.runtime_id, source.arn, source.version, source.last_updated_at,
    )  # fmt: skip
