"""The counters of the API contract, and the message about the errors."""

import pytest

from federations.sync.plan import make_plan
from federations.sync.resources import Finding
from federations.sync.summary import failed_summary, summarize
from tests.pure.sync.values import A2A, MCP, agent, failed, server, stored, unchanged, unsupported

KEYS = [
    "discoveredMcpServers",
    "discoveredAgents",
    "createdMcpServers",
    "updatedMcpServers",
    "deletedMcpServers",
    "unchangedMcpServers",
    "skippedMcpServers",
    "createdAgents",
    "updatedAgents",
    "deletedAgents",
    "unchangedAgents",
    "skippedAgents",
    "errors",
    "errorMessages",
]


def counted(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(KEYS[:12], 0), **counts}


def test_a_summary_has_every_key_in_the_order_of_the_contract() -> None:
    assert list(summarize(()).to_dict()) == KEYS
    assert list(make_plan([], [server("a"), failed("b")]).summary.to_dict()) == KEYS


def test_a_summary_of_nothing_is_all_zero() -> None:
    assert summarize(()).to_dict() == {**counted(), "errors": 0, "errorMessages": []}


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        pytest.param([server("new")], {"discoveredMcpServers": 1, "createdMcpServers": 1}, id="created server"),
        pytest.param([agent("new")], {"discoveredAgents": 1, "createdAgents": 1}, id="created agent"),
        pytest.param(
            [server("taken")], {"discoveredMcpServers": 1, "skippedMcpServers": 1}, id="a skipped server is discovered"
        ),
        pytest.param([agent("taken")], {"discoveredAgents": 1, "skippedAgents": 1}, id="a skipped agent is discovered"),
        pytest.param([failed("x", kind=MCP)], {"discoveredMcpServers": 1}, id="a failed server is discovered"),
        pytest.param([failed("x", kind=A2A)], {"discoveredAgents": 1}, id="a failed agent is discovered"),
        pytest.param([failed("x")], {}, id="a failure of unknown kind counts in errors only"),
        pytest.param([unsupported("x")], {}, id="a runtime of neither protocol counts nowhere"),
    ],
)
def test_each_new_runtime_counts_where_the_contract_says(found: list[Finding], counts: dict[str, int]) -> None:
    taken = {"/agentcore/mcp/taken", "/agentcore/a2a/taken"}
    assert make_plan([], found, taken).summary.counts == counted(**counts)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        pytest.param(
            [server("s"), agent("a")],
            {"discoveredMcpServers": 1, "unchangedMcpServers": 1, "discoveredAgents": 1, "unchangedAgents": 1},
            id="unchanged",
        ),
        pytest.param(
            [unchanged("s"), unchanged("a", kind=A2A)],
            {"discoveredMcpServers": 1, "unchangedMcpServers": 1, "discoveredAgents": 1, "unchangedAgents": 1},
            id="not asked again",
        ),
        pytest.param(
            [server("s", version="2"), agent("a", version="2")],
            {"discoveredMcpServers": 1, "updatedMcpServers": 1, "discoveredAgents": 1, "updatedAgents": 1},
            id="updated",
        ),
        pytest.param([], {"deletedMcpServers": 1, "deletedAgents": 1}, id="deleted are not discovered"),
        pytest.param(
            [agent("s"), agent("a")],
            {"discoveredAgents": 2, "createdAgents": 1, "unchangedAgents": 1, "deletedMcpServers": 1},
            id="a type change counts in both kinds",
        ),
    ],
)
def test_each_stored_resource_counts_where_the_contract_says(found: list[Finding], counts: dict[str, int]) -> None:
    assert make_plan([stored(server("s")), stored(agent("a"))], found).summary.counts == counted(**counts)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        pytest.param([server("a")], None, id="none"),
        pytest.param(
            [failed("pharmacy_fraud_a2a", kind=A2A, error="enrichment failed: 403 Forbidden")],
            "A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden",
            id="the one error itself",
        ),
        pytest.param(
            [failed("b", kind=MCP, error="late"), failed("a", error="gone")],
            "2 resource sync failures. First error: Runtime a: gone",
            id="two: how many, and the first by name",
        ),
        pytest.param(
            [failed("c"), failed("a", kind=MCP), failed("b", kind=A2A)],
            "3 resource sync failures. First error: MCP server a: timed out",
            id="three: the kind does not move the first",
        ),
    ],
)
def test_the_message_is_none_the_one_error_or_how_many_with_the_first(
    found: list[Finding], message: str | None
) -> None:
    assert make_plan([], found).summary.message == message


def test_error_messages_are_all_there_by_name() -> None:
    found: list[Finding] = [failed("c"), failed("a", kind=MCP), failed("b", kind=A2A), server("fine")]
    assert make_plan([], found).summary.to_dict() == {
        **counted(discoveredMcpServers=2, discoveredAgents=1, createdMcpServers=1),
        "errors": 3,
        "errorMessages": ["MCP server a: timed out", "A2A agent b: timed out", "Runtime c: timed out"],
    }


def test_a_sync_that_failed_early_counts_nothing_but_its_error() -> None:
    error = "Failed to list AgentCore runtimes in us-east-1: Token has expired and refresh failed"
    summary = failed_summary(error)
    assert summary.to_dict() == {**counted(), "errors": 1, "errorMessages": [error]}
    assert (list(summary.to_dict()), summary.message) == (KEYS, error)
