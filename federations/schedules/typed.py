"""Read the interval that a person types, such as `30 minutes` or `1 day`."""

from __future__ import annotations

import re

from core.errors import InvalidRequestError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_TYPED = re.compile(
    r"(?:every )?(?:([0-9]{1,9}) ?)?(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)?", re.IGNORECASE
)


def read_interval(text: str) -> int | None:
    """Return the seconds of a typed interval, and None for an empty text. A number alone is minutes.

    Raises InvalidRequestError for every other text.
    """
    words = " ".join(text.split())
    if not words:
        return None
    found = _TYPED.fullmatch(words)
    if found is None or not any(found.groups()):
        raise InvalidRequestError("Type a number and a unit, as in 30 minutes, 6 hours or 1 day")
    return int(found[1] or 1) * UNITS[(found[2] or "m")[0].lower()]
