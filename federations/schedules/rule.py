"""The schedule of a federation as a value, its check, and the time of its next run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from core.errors import InvalidRequestError

# 366 days. A longer interval is a mistake.
LONGEST_INTERVAL_SECONDS = 366 * 24 * 60 * 60
LONGEST_CRONTAB = 100
# These runs show the shortest gap: those within a day, at a midnight, and within two years of a rare crontab.
COMPARED_RUNS = 1000
COMPARED_FROM, COMPARED_UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
# Names of the tz database that depend on the machine, or that name no place.
REFUSED_ZONES = ("localtime", "Factory")


@dataclass(frozen=True, slots=True)
class Schedule:
    """An interval, or a crontab of five fields in a time zone, or neither: sync only on request."""

    interval_seconds: int | None = None
    crontab: str = ""
    time_zone: str = "UTC"

    def __bool__(self) -> bool:
        return self.interval_seconds is not None or bool(self.crontab)


def check_schedule(schedule: Schedule, *, shortest_seconds: int) -> None:
    """Raise InvalidRequestError if the hub cannot keep `schedule`, or if it runs at shorter gaps than allowed."""
    if schedule.interval_seconds is not None and schedule.crontab:
        raise InvalidRequestError("A schedule is an interval or a crontab, not both")
    check_interval(schedule.interval_seconds, shortest_seconds=shortest_seconds)
    check_time_zone(schedule.time_zone)
    if schedule.crontab:
        check_crontab(schedule.crontab, shortest_seconds=shortest_seconds)


def check_interval(seconds: int | None, *, shortest_seconds: int) -> None:
    """Raise InvalidRequestError for an interval out of bounds; None is valid."""
    if seconds is not None and not shortest_seconds <= seconds <= LONGEST_INTERVAL_SECONDS:
        raise InvalidRequestError(f"The sync interval must be from {length_words(shortest_seconds)} to 366 days")


def check_time_zone(name: str) -> None:
    """Raise InvalidRequestError unless `name` is a place or an offset of the tz database, spelled as there."""
    if name not in time_zones():
        raise InvalidRequestError(f"'{name}' is not a time zone; use a name such as Europe/Berlin or UTC")


def check_crontab(crontab: str, *, shortest_seconds: int) -> None:
    """Raise InvalidRequestError for a crontab that is malformed, never runs, or runs at too short gaps."""
    if len(crontab) > LONGEST_CRONTAB or len(crontab.split()) != 5:
        raise InvalidRequestError(
            "A crontab has five fields: minute, hour, day of the month, month, day of the week, as in 0 2 * * *"
        )
    try:
        every_run = CronSim(crontab, COMPARED_FROM)
        runs = list(islice(every_run, 1))
        runs += takewhile(lambda run: run < COMPARED_UNTIL, islice(every_run, COMPARED_RUNS))
    except CronSimError as exc:
        field = str(exc).removeprefix("Bad ").replace("-", " ")
        raise InvalidRequestError(f"The crontab cannot be read: its {field} is wrong") from exc
    if not runs:
        raise InvalidRequestError("The crontab never runs: no date has this day and month")
    shortest = min((after - before for before, after in pairwise(runs)), default=timedelta.max)
    if shortest < timedelta(seconds=shortest_seconds):
        raise InvalidRequestError(
            f"The crontab runs twice within {length_words(int(shortest.total_seconds()))}; "
            f"the shortest allowed time between two syncs is {length_words(shortest_seconds)}"
        )


def next_run(schedule: Schedule, key: str, now: datetime) -> datetime | None:
    """Return the first run after `now` of the federation with the id `key`; None without a schedule.

    `now` is aware, and the result is in UTC. The stored crontab is valid.
    """
    if schedule.interval_seconds is not None:
        return _next_of_interval(schedule.interval_seconds, key, now)
    if not schedule.crontab:
        return None
    delay = timedelta(seconds=_number_of(key) % 60)
    # A minute is the unit of a crontab, so all federations with the same one share the answer for this minute.
    minute = (now - delay).astimezone(UTC).replace(second=0, microsecond=0)
    return next((run + delay for run in _runs_near(schedule, minute) if run + delay > now), None)


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names of all time zones that a schedule may have, sorted."""
    return tuple(sorted(available_timezones().difference(REFUSED_ZONES)))


def length_words(seconds: int) -> str:
    """Return a length of time in its largest whole unit: `5 minutes`, `1 day`."""
    units = ((86_400, "day"), (3600, "hour"), (60, "minute"))
    length, unit = next((found for found in units if seconds % found[0] == 0), (1, "second"))
    number = seconds // length
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _next_of_interval(seconds: int, key: str, now: datetime) -> datetime:
    phase = _number_of(key) % seconds
    # Whole seconds, so that a database with milliseconds stores exactly this time.
    return datetime.fromtimestamp((int(now.timestamp() - phase) // seconds + 1) * seconds + phase, tz=UTC)


@lru_cache(maxsize=4096)
def _runs_near(schedule: Schedule, minute: datetime) -> tuple[datetime, ...]:
    """Return in UTC the first runs at and after `minute`, enough of them that one is later than the minute's end."""
    # Between both passes of the hour that is repeated, the first runs that the library names are in the past.
    return tuple(islice((run for run in _runs_from(schedule, minute) if run >= minute), 2))


def _runs_from(schedule: Schedule, minute: datetime) -> Iterator[datetime]:
    start = (minute - timedelta(minutes=1)).astimezone(ZoneInfo(schedule.time_zone))
    for run in CronSim(schedule.crontab, start):
        yield run.astimezone(UTC)


def _number_of(key: str) -> int:
    return int.from_bytes(sha256(key.encode()).digest()[:8])
