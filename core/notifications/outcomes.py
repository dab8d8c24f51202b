"""The outcome of one attempt to deliver, and the pauses between attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400))
"""The pauses before the second and each further attempt; after the last attempt, a day and a half, it is given up."""
MAX_ATTEMPTS = len(PAUSES) + 1
SCATTER = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt brought: the status, and the beginning of the answer or the error.

    `is_final` says that a further attempt is useless, `is_nothing` that there is nothing to tell, and `is_gone` that
    the receiver wants no more messages.
    """

    code: int | None
    text: str
    is_sent: bool = False
    is_final: bool = False
    is_nothing: bool = False
    is_gone: bool = False


def pause_after(attempts: int) -> timedelta:
    """Return the pause after so many attempts, up to a tenth longer, so that failed messages do not return together."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1]
    return pause * (1 + random.uniform(0, SCATTER))  # noqa: S311
