"""Delegation scopes never widen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.protocol import CallbackEventType, DelegationError, DelegationFault, DelegationScope, MalformedMessage
from tests.pure.protocol.strategies import many, operations, scopes, some


def grants_no_more(scope: DelegationScope, limit: DelegationScope) -> bool:
    """Compare every operation, the denials and the expiry, independently of the tested code."""
    end, limit_end = scope.expiry_seconds(), limit.expiry_seconds()
    return (
        all(limit.allows(operation) for operation in scope.permissions if scope.allows(operation))
        and all(operation in scope.denied_operations for operation in limit.denied_operations)
        and (limit_end is None or (end is not None and end <= limit_end))
    )


def test_attenuation_follows_the_documented_rules() -> None:
    parent = DelegationScope(["b", "a", "c"], ["y"], 3, "2030-01-01T00:00:00Z")
    child = DelegationScope(["c", "a", "d"], ["x"], 5, "2030-01-01T00:30:00+01:00")
    assert parent.attenuate(child) == DelegationScope(["a", "c"], ["x", "y"], 2, "2030-01-01T00:30:00+01:00")


@pytest.mark.parametrize(
    ("ours", "theirs", "earlier"),
    [
        (None, None, None),
        ("2030-01-01T00:00:00Z", None, "2030-01-01T00:00:00Z"),
        (None, "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00Z", "2029-12-31T23:59:59Z", "2029-12-31T23:59:59Z"),
        ("2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:30:00+01:00", "2030-01-01T00:30:00+01:00"),
    ],
)
def test_the_earlier_moment_wins_not_the_smaller_text(
    ours: str | None, theirs: str | None, earlier: str | None
) -> None:
    parent, child = DelegationScope(expires_at=ours), DelegationScope(expires_at=theirs, max_delegation_depth=0)
    assert parent.attenuate(child).expires_at == earlier


@pytest.mark.parametrize("depth", [0, -1, -5])
def test_without_depth_left_nothing_is_passed_on(depth: int) -> None:
    with pytest.raises(DelegationError, match="Delegation depth exceeded") as refusal:
        DelegationScope(max_delegation_depth=depth).attenuate(DelegationScope())
    assert refusal.value.fault is DelegationFault.DEPTH


def test_a_child_that_asks_for_negative_depth_gets_nothing() -> None:
    with pytest.raises(DelegationError):
        DelegationScope(max_delegation_depth=3).attenuate(DelegationScope(max_delegation_depth=-5))


def test_an_unreadable_expiry_is_refused_not_ignored() -> None:
    with pytest.raises(MalformedMessage):
        DelegationScope(expires_at="2030-01-01T00:00:00Z").attenuate(DelegationScope(expires_at="never"))


def test_a_denied_operation_is_not_allowed_and_a_wildcard_allows_nothing() -> None:
    scope = DelegationScope(["state.patch", "events.log", "*"], ["events.log"])
    assert scope.allows("state.patch")
    assert not scope.allows("events.log")
    assert not scope.allows("cost.report")
    assert not scope.allows("*")
    assert scope.has_wildcard()


@pytest.mark.parametrize("event", CallbackEventType)
def test_a_state_delta_needs_state_patch_and_other_events_events_log(event: CallbackEventType) -> None:
    needed = "state.patch" if event == "state_delta" else "events.log"
    assert event.required_permission == needed
    assert DelegationScope([needed]).allows(event.required_permission)
    assert not DelegationScope(["state.patch", "events.log"], [needed]).allows(event.required_permission)


@pytest.mark.parametrize(("depth", "may"), [(2, True), (1, True), (0, False), (-5, False)])
def test_passing_on_needs_depth_left(depth: int, may: bool) -> None:
    assert DelegationScope(max_delegation_depth=depth).may_delegate() is may


@many
@given(st.lists(scopes, min_size=1, max_size=8))
def test_a_chain_of_attenuations_never_widens_at_any_step(chain: list[DelegationScope]) -> None:
    current = chain[0]
    for asked in chain[1:]:
        if min(current.max_delegation_depth - 1, asked.max_delegation_depth) < 0:
            with pytest.raises(DelegationError):
                current.attenuate(asked)
            return
        child = current.attenuate(asked)
        for limit in (current, asked, chain[0]):
            assert grants_no_more(child, limit)
            assert child.is_within(limit)
        assert child.max_delegation_depth <= min(current.max_delegation_depth - 1, asked.max_delegation_depth)
        current = child


@many
@given(scopes, scopes)
def test_is_within_means_granting_no_more(scope: DelegationScope, limit: DelegationScope) -> None:
    assert scope.is_within(limit) <= grants_no_more(scope, limit)
    assert scope.is_within(scope)


@some
@given(scopes, scopes, operations)
def test_a_restricted_scope_allows_what_both_allow(first: DelegationScope, second: DelegationScope, name: str) -> None:
    both = first.restricted_to(second)
    assert both.allows(name) == (first.allows(name) and second.allows(name))
    assert both.max_delegation_depth == min(first.max_delegation_depth, second.max_delegation_depth)
    assert both.is_within(first)
    assert both.is_within(second)
