"""The schedule of a federation in words."""

from __future__ import annotations

import re

from cronsim import CronSim, CronSimError

from federations.schedules.rule import COMPARED_FROM, Schedule

ON_REQUEST = "only on request"
_UNITS = ((7 * 24 * 3600, "week"), (24 * 3600, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def schedule_words(schedule: Schedule) -> str:
    """Return a schedule in words: `every 6 hours`, `every day at 02:00 Europe/Berlin`, `only on request`."""
    if not schedule.crontab:
        return interval_words(schedule.interval_seconds)
    words = crontab_words(schedule.crontab)
    return f"{words}{'' if words[-1:].isdigit() else ','} {schedule.time_zone}"


def crontab_words(crontab: str) -> str:
    """Return a crontab in words: `every day at 02:00`; a crontab that cannot be read as it is."""
    try:
        words = CronSim(crontab, COMPARED_FROM).explain()
    except CronSimError:
        return crontab
    if found := re.fullmatch(r"At (\d\d:\d\d(?:, \d\d:\d\d)*(?:,? and \d\d:\d\d)?) ((?:every|on) .+)", words):
        return f"{found[2]} at {found[1]}"
    return words[:1].lower() + words[1:]


def interval_words(seconds: int | None) -> str:
    """Return an interval in words: `every day`, `every 90 minutes`; `only on request` for None.

    An interval that is not a whole number of one unit is told in two units: `every 1 day 30 minutes`.
    """
    if not seconds:
        return ON_REQUEST
    for length, unit in _UNITS:
        if seconds % length == 0 and (seconds < 24 * 3600 or length > 60):
            return f"every {unit}" if seconds == length else f"every {seconds // length} {unit}s"
    length, unit = next(found for found in _UNITS if found[0] < seconds)
    whole, rest = divmod(seconds, length)
    return f"every {_counted(whole, unit)} {_rest_words(rest)}"


def _rest_words(seconds: int) -> str:
    return _counted(seconds // 60, "minute") if seconds % 60 == 0 else _counted(seconds, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
