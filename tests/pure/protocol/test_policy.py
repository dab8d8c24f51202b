"""compose_strictest: each rule, and its independence of order, grouping and repetition."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from peers.protocol import FederationPolicy, Json, JsonObject
from tests.pure.protocol.strategies import many, policies, some

RULES: list[tuple[str, str, Json, Json, Json]] = [
    ("governance", "require_approval", False, True, True),
    ("governance", "require_approval", False, False, False),
    ("governance", "allow_subcontractors", True, False, False),
    ("governance", "permit_export", True, True, True),
    ("governance", "max_agents", 5, 3, 3),
    ("governance", "max_agents", 3, 5.0, 3),
    ("governance", "min_approvals", 1, 2, 2),
    ("governance", "allowed_agents", ["b", "a", "c"], ["c", "d", "b"], ["b", "c"]),
    ("governance", "allowed_agents", ["a"], [], []),
    ("governance", "permitted_regions", ["eu", "us"], ["us"], ["us"]),
    ("governance", "denied_tools", ["b"], ["a", "b"], ["a", "b"]),
    ("governance", "required_reviews", ["legal"], ["security"], ["legal", "security"]),
    ("governance", "checks", ["b"], ["a"], ["a", "b"]),
    ("governance", "allowed_agents", ["b", "a"], ["b", "a"], ["b", "a"]),
    ("governance", "allowed_agents", None, ["a"], ["a"]),
    ("governance", "allowed_agents", ["a"], None, ["a"]),
    ("governance", "limits", {"max": 3, "a": 1}, {"max": 2, "b": 1}, {"max": 2, "a": 1, "b": 1}),
    ("governance", "mode", "manual", "automatic", "manual"),
    ("governance", "mode", "manual", 1, "manual"),
    ("governance", "mode", True, 0, True),
    ("governance", "mode", 0, True, 0),
    ("governance", "mode", ["a"], "a", ["a"]),
    ("governance", "mode", {"a": 1}, ["a"], {"a": 1}),
    ("budget", "max_llm_tokens", 10_000, 5_000, 5_000),
    ("budget", "cost_ceiling_usd", 5.0, 10.0, 5.0),
    ("budget", "max_llm_tokens", 0, 5_000, 0),
    ("budget", "max_llm_tokens", None, 5_000, 5_000),
    ("budget", "max_llm_tokens", "many", 5_000, "many"),
    ("budget", "hard_stop", False, True, True),
    ("budget", "min_reserve", 10, 20, 20),
    ("observability", "trace_required", False, True, True),
    ("observability", "log_level", "info", "debug", "debug"),
    ("observability", "log_level", "DEBUG", "error", "DEBUG"),
    ("observability", "log_level", "warn", "critical", "warn"),
    ("observability", "audit_level", "off", "fatal", "fatal"),
    ("observability", "log_level", "info", "shout", "info"),
    ("observability", "log_level", "shout", "debug", "shout"),
    ("observability", "log_level", "info", 1, "info"),
    ("observability", "exporters", ["b"], ["a"], ["a", "b"]),
    ("observability", "sample_rate", 0.1, 1.0, 1.0),
    ("observability", "retention_days", 30, 90, 90),
    ("observability", "max_interval_seconds", 60, 10, 10),
]


@pytest.mark.parametrize(("section", "key", "ours", "theirs", "composed"), RULES)
def test_the_rule_for(section: str, key: str, ours: Json, theirs: Json, composed: Json) -> None:
    local, remote = (FederationPolicy.from_dict({section: {key: value}}) for value in (ours, theirs))
    assert local.compose_strictest(remote).to_dict()[section] == {key: composed}


def test_a_key_on_one_side_is_kept() -> None:
    local, remote = FederationPolicy(budget={"a": 1}), FederationPolicy(budget={"b": None}, governance={"c": [1]})
    expected = FederationPolicy(budget={"a": 1, "b": None}, governance={"c": [1]})
    assert local.compose_strictest(remote) == expected


def test_neither_side_is_changed() -> None:
    local, remote = FederationPolicy(budget={"a": 1}), FederationPolicy(budget={"a": 0})
    local.compose_strictest(remote)
    assert (local.budget, remote.budget) == ({"a": 1}, {"a": 0})


names = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4)
numbers = st.integers(-5, 5) | st.floats(-5, 5, allow_nan=False)
levels = st.sampled_from(["trace", "debug", "INFO", "info", "warn", "warning", "error", "critical", "fatal", "off"])
KINDS: dict[str, SearchStrategy[Json]] = {
    "require_approval": st.booleans(),
    "allow_export": st.booleans(),
    "max_agents": numbers,
    "min_approvals": numbers,
    "allowed_agents": names.map(list[Json]),
    "denied_tools": names.map(list[Json]),
    "required_reviews": names.map(list[Json]),
}
OBSERVED: dict[str, SearchStrategy[Json]] = {
    "trace_required": st.booleans(),
    "log_level": levels,
    "exporters": names.map(list[Json]),
    "sample_rate": numbers,
}


def sections(kinds: dict[str, SearchStrategy[Json]]) -> SearchStrategy[JsonObject]:
    """Draw objects whose keys always have the same kind of value, or are missing or null, with one level of nesting."""
    flat = st.fixed_dictionaries({}, optional={key: st.none() | values for key, values in kinds.items()})
    return st.fixed_dictionaries({}, optional={**{k: st.none() | v for k, v in kinds.items()}, "nested": flat})


matching = st.builds(
    FederationPolicy, governance=sections(KINDS), budget=sections(KINDS), observability=sections(OBSERVED)
)

RANK = {
    name: rank
    for rank, names in enumerate(["trace", "debug", "info", "warn warning", "error", "critical fatal", "off none"])
    for name in names.split()
}
# Whether the first is at least as strict as the second, written independently of the tested code.
AS_STRICT: dict[str, Callable[..., bool]] = {
    "require_approval": lambda ours, other: ours or not other,
    "trace_required": lambda ours, other: ours or not other,
    "allow_export": lambda ours, other: other or not ours,
    "max_agents": lambda ours, other: ours <= other,
    "min_approvals": lambda ours, other: ours >= other,
    "sample_rate": lambda ours, other: ours >= other,
    "allowed_agents": lambda ours, other: set(ours) <= set(other),
    "denied_tools": lambda ours, other: set(ours) >= set(other),
    "required_reviews": lambda ours, other: set(ours) >= set(other),
    "exporters": lambda ours, other: set(ours) >= set(other),
    "log_level": lambda ours, other: RANK[ours.lower()] <= RANK[other.lower()],
}


def is_as_strict(composed: Json, side: Json) -> bool:
    """Compare objects key by key; null and absent values constrain nothing."""
    assert isinstance(composed, dict) and isinstance(side, dict)
    for key, value in side.items():
        if value is None:
            continue
        if isinstance(value, dict):
            if not is_as_strict(composed[key], value):
                return False
        elif not AS_STRICT[key](composed[key], value):
            return False
    return True


@many
@given(matching, matching)
def test_the_order_of_the_sides_does_not_matter(first: FederationPolicy, second: FederationPolicy) -> None:
    assert first.compose_strictest(second) == second.compose_strictest(first)


@many
@given(matching, matching, matching)
def test_the_grouping_does_not_matter(a: FederationPolicy, b: FederationPolicy, c: FederationPolicy) -> None:
    assert a.compose_strictest(b).compose_strictest(c) == a.compose_strictest(b.compose_strictest(c))


@some
@given(policies | matching)
def test_a_policy_composed_with_itself_or_with_nothing_is_unchanged(policy: FederationPolicy) -> None:
    assert policy.compose_strictest(policy) == policy
    assert policy.compose_strictest(FederationPolicy()) == policy
    assert FederationPolicy().compose_strictest(policy) == policy


@many
@given(matching, matching)
def test_the_result_is_never_looser_than_either_side(first: FederationPolicy, second: FederationPolicy) -> None:
    composed = first.compose_strictest(second)
    for side in (first, second):
        for section, values in side.to_dict().items():
            assert is_as_strict(composed.to_dict()[section], values)


@some
@given(policies, policies)
def test_any_two_policies_compose_and_a_local_value_of_another_type_stays(
    local: FederationPolicy, remote: FederationPolicy
) -> None:
    composed = local.compose_strictest(remote).to_dict()
    for section, values in local.to_dict().items():
        result, other = composed[section], remote.to_dict()[section]
        assert isinstance(values, dict) and isinstance(result, dict) and isinstance(other, dict)
        assert result.keys() == values.keys() | other.keys()
        for key, value in values.items():
            if value is not None and other.get(key) is not None and type(value) is not type(other[key]):
                assert type(result[key]) in (type(value), int, float)
