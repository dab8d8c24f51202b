"""The checks of a message from a peer, in the order in which the hub makes them, and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from peers.services.inbox.explain.causes import Step, Why


class Outcome(StrEnum):
    """The outcome of a check; the value is its word for people."""

    PASSED = "Passed"
    REFUSED = "Refused"
    NOT_REACHED = "Not reached"
    NOT_STORED = "Not stored"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one message: its name, its outcome, and the value that decided, as a sentence."""

    name: str
    outcome: Outcome
    value: str = ""


WORK_STEPS = tuple(step for step in Step if step != Step.DISPATCH)
REPORT_STEPS = (
    Step.FORM, Step.DISPATCH, Step.SIGNATURE, Step.KEY, Step.RATE, Step.PEER, Step.COPY, Step.SCOPE,
)  # fmt: skip

UNKNOWN_REASON = "The journal names a reason that belongs to no check."
COUNTED_ANYWHERE = ("RateLimitedError", "TooManyFailuresError")
EARLIER = "Not stored: the limit is kept in memory, before or after any other check."


def checks_of_refusal(
    reason: str, why: Why | None, values: Mapping[Step, str], *, is_report: bool = False
) -> list[Check]:
    """Return the checks of a refused message; `values` are further facts that are stored about a check.

    `reason` is the class of the refusal, `why` its cause, and `is_report` tells whether the message was a callback
    about a dispatch of this hub.
    """
    steps = REPORT_STEPS if is_report else WORK_STEPS
    if why is None:
        return [Check(each, Outcome.NOT_STORED, f"{reason}: {UNKNOWN_REASON}") for each in steps[:1]]
    step = why.step if why.step in steps else Step.FORM
    if reason in COUNTED_ANYWHERE:
        return [
            Check(each, *((Outcome.REFUSED, why.said) if each == step else (Outcome.NOT_STORED, EARLIER)))
            for each in steps
        ]
    return trace(steps, step, {**values, step: " ".join(filter(None, (why.said, values.get(step, ""))))})


def trace(steps: Sequence[Step], refused_by: Step | None, values: Mapping[Step, str]) -> list[Check]:
    """Return the checks up to the one that refused, if there is one, as passed, and the later ones as not reached."""
    end = steps.index(refused_by) if refused_by else len(steps)
    found = []
    for place, step in enumerate(steps):
        if place > end:
            found.append(Check(step, Outcome.NOT_REACHED))
        else:
            outcome = Outcome.REFUSED if step == refused_by else Outcome.PASSED
            found.append(Check(step, outcome, values.get(step, "")))
    return found
