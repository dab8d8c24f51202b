"""The transition table, the figures of usage, and the derived ids."""

from __future__ import annotations

from typing import Any

import pytest

from core.ids import new_object_id
from federations.runs.message import context_id, message_id, session_id, trace_parent, work_text
from federations.runs.states import ALLOWED, ENDED, TRANSITIONS, Action, RunState, refusal_text, states_before
from federations.runs.usage import merged, near_limits, passed_limits, reported_usage


def test_no_state_leads_out_of_an_ended_run_and_each_other_state_leads_to_an_end() -> None:
    assert set(TRANSITIONS) == set(RunState)
    assert {state for state, following in TRANSITIONS.items() if not following} == ENDED
    assert states_before(RunState.RUNNING) == {RunState.QUEUED, RunState.INPUT_REQUIRED}
    assert states_before(RunState.COMPLETED) == {RunState.RUNNING, RunState.INPUT_REQUIRED}


def test_a_refused_action_names_the_state() -> None:
    assert refusal_text("completed", Action.CANCEL) == "Run in state 'completed' cannot be cancelled"
    assert not any(ENDED & states for states in ALLOWED.values())


def test_derived_ids_are_stable_differ_and_are_long_enough_for_aws() -> None:
    run = new_object_id()
    ids = [message_id(run), message_id(run, 1), message_id(run, 2), context_id(run), session_id(run), trace_parent(run)]
    assert ids == [
        message_id(run), message_id(run, 1), message_id(run, 2), context_id(run), session_id(run), trace_parent(run),
    ]  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert len(session_id(run)) >= 33
    assert work_text("Sum up", "") == "Sum up"
    assert work_text(" Sum up ", "Q3\nonly") == "Sum up\n\nQ3\nonly"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"usage": {"llm_tokens": 9, "tool_calls": 2}}, {"llm_tokens": 9, "tool_calls": 2}),
        ({"usage": {"cost_usd": 0.5}}, {"cost_usd": 0.5}),
        ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 5}, {"llm_tokens": 12}),
        ({"usage": {"gen_ai.usage.output_tokens": 5}}, {"llm_tokens": 5}),
        ({"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 9}}, {"llm_tokens": 9}),
        ({"usage": {"llm_tokens": True, "cost_usd": "1", "tool_calls": -1}}, {}),
        ({"usage": {"llm_tokens": float("nan"), "cost_usd": float("inf"), "tool_calls": 10**400}}, {}),
        ({"usage": [1]}, {}),
    ],
)  # fmt: skip
def test_reported_figures(metadata: Any, expected: dict[str, float]) -> None:
    assert reported_usage([metadata]) == expected


def test_a_figure_never_becomes_smaller_and_limits_are_passed_only_above() -> None:
    usage = merged({"seconds": 1, "llm_tokens": 90}, {"llm_tokens": 80.0, "cost_usd": 0.1})
    assert usage == {"seconds": 1, "llm_tokens": 90, "cost_usd": 0.1}
    limits: Any = {"max_llm_tokens": 100, "cost_ceiling_usd": 0.1, "max_tool_calls": 1, "unknown": 1}
    assert [found.limit for found in near_limits(usage, limits)] == ["max_llm_tokens", "cost_ceiling_usd"]
    assert passed_limits(usage, limits) == []
    (passed,) = passed_limits({"llm_tokens": 101}, limits)
    assert passed.reason == "budget exceeded: max_llm_tokens is 100, used 101"
