"""The limits of failures, as functions of a state and a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.signin.limits import PER_ADDRESS, PER_KNOWN_ADDRESS, PER_NAME, Limit, State, read_state, write_state

LIMITS = st.sampled_from([PER_ADDRESS, PER_NAME, PER_KNOWN_ADDRESS])
START = 1_800_000_000.0


def attempts(limit: Limit, times: list[float]) -> tuple[State, list[float]]:
    """Try at each time; return the last state and the times that were allowed and counted."""
    state: State = ()
    allowed = []
    for now in times:
        if not limit.wait(state, now):
            state = limit.count(state, now)
            allowed.append(now)
    return state, allowed


def test_an_address_has_ten_failures_in_any_minute() -> None:
    _, allowed = attempts(PER_ADDRESS, [START + 6 * turn for turn in range(12)])
    assert allowed == [START + 6 * turn for turn in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)]
    _, allowed = attempts(PER_ADDRESS, [START + turn for turn in range(61)])
    assert allowed == [START + turn for turn in (*range(10), 60)]


def test_a_name_has_thirty_failures_and_then_one_each_thirty_seconds() -> None:
    state, allowed = attempts(PER_NAME, [START] * 40)
    assert len(allowed) == 30
    assert PER_NAME.wait(state, START) == 30
    assert PER_NAME.wait(state, START + 30) == 0
    _, allowed = attempts(PER_NAME, [START + second for second in range(600)])
    assert len(allowed) == 30 + 600 // 30 - 1


def test_refused_attempts_do_not_lengthen_the_wait_for_a_name() -> None:
    state, _ = attempts(PER_NAME, [START] * 10_000)
    assert PER_NAME.wait(state, START + 29) == 1
    assert PER_NAME.wait(state, START + 120) == 0


@given(LIMITS, st.lists(st.floats(-100, 2000), max_size=100))
def test_whatever_the_clocks_of_the_machines_say_the_wait_is_short_and_the_row_is_small(
    limit: Limit, offsets: list[float]
) -> None:
    state, _ = attempts(limit, [START + offset for offset in offsets])
    assert 0 <= limit.wait(state, START) <= 60
    assert len(write_state(state)) <= 255
    assert read_state(write_state(state)) == tuple(round(time, 3) for time in state)


@given(LIMITS, st.lists(st.floats(0, 600), max_size=60))
def test_a_forgotten_state_says_no_more_than_the_empty_state(limit: Limit, offsets: list[float]) -> None:
    state, _ = attempts(limit, sorted(START + offset for offset in offsets))
    after = max(limit.forget_at(state), START)
    assert limit.wait(state, after) == 0
    times = [after + turn for turn in range(50)]
    fresh = attempts(limit, times)[1]
    kept = state
    allowed = []
    for now in times:
        if not limit.wait(kept, now):
            kept = limit.count(kept, now)
            allowed.append(now)
    assert allowed == fresh
