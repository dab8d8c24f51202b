"""The pauses between attempts: they double, with jitter, so that many senders do not return at one moment."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

MAX_ATTEMPTS = 20
"""With a first pause of 5 s, 20 attempts take about 8 hours. FEDHUB_ENVELOPE_MAX_AGE is at least 12 hours."""

LONGEST_PAUSE = timedelta(hours=1)
LONGEST_SCATTER = timedelta(seconds=15)


def retry_delay(attempts: int, *, first_seconds: float) -> timedelta:
    """Return the pause after attempt number `attempts`, counted from 1: half of the pause is fixed, half is random."""
    longest = LONGEST_PAUSE.total_seconds()
    # The exponent is bounded before the power: 2.0 ** 5000 overflows.
    pause = min(longest, first_seconds * 2.0 ** min(attempts - 1, 30))
    return timedelta(seconds=random.uniform(pause / 2, pause))  # noqa: S311 - spreads load, guards nothing


def scattered(end: datetime, *, now: datetime) -> datetime:
    """Return a random moment soon after `end`, for one of many rows that wait for `end`."""
    width = min(LONGEST_SCATTER, (end - now) / 2)
    return end + width * random.random()  # noqa: S311 - spreads load, guards nothing
