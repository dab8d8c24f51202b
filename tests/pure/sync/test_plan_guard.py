"""The deletion guard, and plans that delete nothing."""

import pytest

from federations.sync.changes import Enriched, StoredResource
from federations.sync.plan import Plan, make_plan
from tests.pure.sync.values import A2A, MCP, agent, apply, enriched, failed, server, shown, stored, unsupported


def servers(count: int) -> list[Enriched]:
    return [server(f"s{number}") for number in range(count)]


def rows_of(found: list[Enriched]) -> list[StoredResource]:
    return [stored(one) for one in found]


def plan_losing(lost: int, of: int) -> Plan:
    found = servers(of)
    return make_plan(rows_of(found), found[lost:])


@pytest.mark.parametrize(
    ("lost", "of", "held"),
    [
        pytest.param(0, 0, False, id="nothing is stored"),
        pytest.param(9, 9, False, id="all of 9: too few to judge"),
        pytest.param(3, 10, False, id="exactly 30 % of 10"),
        pytest.param(4, 10, True, id="40 % of 10"),
        pytest.param(10, 10, True, id="all of 10"),
        pytest.param(3, 11, False, id="27 % of 11"),
        pytest.param(4, 11, True, id="36 % of 11"),
        pytest.param(20, 20, True, id="an empty discovery where 20 were stored"),
        pytest.param(30, 100, False, id="exactly 30 % of 100"),
        pytest.param(31, 100, True, id="31 % of 100"),
    ],
)
def test_a_plan_that_deletes_more_than_30_percent_of_10_or_more_is_held(lost: int, of: int, held: bool) -> None:
    plan = plan_losing(lost, of)
    assert (plan.net_delete_count, plan.stored_count, plan.is_held) == (lost, of, held)


def test_servers_and_agents_count_together() -> None:
    rows = [stored(enriched(kind, f"r{number}", f"{kind}{number}")) for kind in (MCP, A2A) for number in range(5)]
    kept = [enriched(kind, f"r{number}", f"{kind}{number}") for kind in (MCP, A2A) for number in range(3)]
    assert make_plan(rows, kept).is_held


def test_a_delete_that_a_create_of_the_same_name_replaces_does_not_count() -> None:
    recreated = make_plan(rows_of(servers(10)), [server(f"s{number}", f"again{number}") for number in range(10)])
    assert (recreated.summary.counts["deletedMcpServers"], recreated.net_delete_count, recreated.is_held) == (
        10,
        0,
        False,
    )


def test_a_type_change_does_not_count() -> None:
    assert make_plan(rows_of(servers(10)), [agent(f"s{number}") for number in range(10)]).net_delete_count == 0


def test_one_create_replaces_one_delete_not_two() -> None:
    rows = [stored(server("pay", "1")), stored(agent("pay", "2"))]
    assert make_plan(rows, [server("pay", "3")]).net_delete_count == 1


def test_another_name_replaces_nothing() -> None:
    plan = make_plan(rows_of(servers(10)), [server(f"other{number}") for number in range(10)])
    assert (plan.net_delete_count, plan.is_held) == (10, True)


def test_a_runtime_that_speaks_another_protocol_now_counts() -> None:
    assert make_plan(rows_of(servers(10)), [unsupported(f"s{number}") for number in range(10)]).is_held


def test_failures_are_not_deletions() -> None:
    assert make_plan(rows_of(servers(10)), [failed(f"s{number}") for number in range(10)]).net_delete_count == 0


def test_a_held_plan_says_how_many_of_how_many() -> None:
    assert plan_losing(7, 20).held_message == (
        "Sync held: it would delete 7 of 20 stored resources, more than 30 %. "
        "Nothing was changed; look at the plan, then apply or dismiss it"
    )


def test_without_deletes_everything_stored_stays_and_the_rest_happens() -> None:
    found = [server("a", version="2"), server("new")]
    plan = make_plan([stored(server("a")), stored(server("gone"))], found).without_deletes()
    assert shown(plan.changes) == [
        "update mcp_server a a-id: runtimeVersion: 1 -> 2",
        "create mcp_server new new-id: new server",
    ]
    assert plan.stored_count == 2


def test_without_deletes_a_large_loss_is_not_held() -> None:
    assert not plan_losing(20, 20).without_deletes().is_held


def test_without_deletes_a_recreated_runtime_finds_its_name_used() -> None:
    rows = [stored(server("pay", "old"))]
    plan = make_plan(rows, [server("pay", "new")]).without_deletes()
    assert shown(plan.changes) == ["error mcp_server pay new: serverName is already used by runtime old"]
    assert apply(plan, rows) == rows


def test_without_deletes_a_renamed_runtime_stays_under_its_old_name_with_an_error() -> None:
    plan = make_plan([stored(agent("old", "1"))], [agent("new", "1")]).without_deletes()
    assert shown(plan.changes) == ["error a2a_agent new 1: it is still stored as old"]


def test_without_deletes_a_type_change_stores_the_second_kind_beside_the_first() -> None:
    rows = [stored(server("pay"))]
    plan = make_plan(rows, [agent("pay")]).without_deletes()
    assert shown(plan.changes) == ["create a2a_agent pay pay-id: new agent"]
    assert {row.kind for row in apply(plan, rows)} == {MCP, A2A}
