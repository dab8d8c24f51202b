"""The interval of a federation's syncs in words."""

from __future__ import annotations

ON_REQUEST = "only on request"
_UNITS = ((7 * 24 * 60, "week"), (24 * 60, "day"), (60, "hour"), (1, "minute"))


def interval_words(minutes: int | None) -> str:
    """Return an interval in words: `every day`, `every 90 minutes`; `only on request` for None.

    An interval that is no whole number of one unit is told in two units: `every 1 day 30 minutes`.
    """
    if not minutes:
        return ON_REQUEST
    for length, unit in _UNITS:
        if minutes % length == 0 and (minutes < 24 * 60 or length > 1):
            return f"every {unit}" if minutes == length else f"every {minutes // length} {unit}s"
    length, unit = next(found for found in _UNITS if found[0] < minutes)
    whole, rest = divmod(minutes, length)
    return f"every {_counted(whole, unit)} {_counted(rest, 'minute')}"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
