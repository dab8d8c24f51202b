"""When a schedule runs next: jitter, both changes of the clock, and what is refused."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import InvalidRequestError
from federations.schedules.rule import Schedule, check_schedule, next_run
from federations.schedules.typed import read_interval
from federations.schedules.words import schedule_words

BERLIN = "Europe/Berlin"
KEYS = [f"{number:024x}" for number in range(1000)]


def runs(schedule: Schedule, key: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the runs after `start` and before `end`, as a beat finds them: each from the time of the last."""
    found, now = [], start
    while (now := next_run(schedule, key, now) or end) < end:
        found.append(now)
    return found


def test_a_thousand_federations_of_one_interval_are_spread_over_it() -> None:
    now = datetime(2026, 5, 1, 12, 0, 30, 250_000, tzinfo=UTC)
    moments = [next_run(Schedule(300), key, now) for key in KEYS]
    assert all(now < moment <= now + timedelta(seconds=300) for moment in moments if moment)
    assert max(Counter(moments).values()) < 15
    assert moments == [next_run(Schedule(300), key, now) for key in KEYS]


def test_an_interval_keeps_its_own_times_whenever_it_is_asked() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    found = runs(Schedule(1800), KEYS[0], start, start + timedelta(days=1))
    assert len(found) == 48 and {b - a for a, b in itertools.pairwise(found)} == {timedelta(minutes=30)}
    assert next_run(Schedule(1800), KEYS[0], found[20] + timedelta(minutes=17)) == found[21]


def test_runs_of_a_crontab_begin_within_the_minute_and_not_all_in_one_second() -> None:
    now = datetime(2026, 4, 30, 12, tzinfo=UTC)
    moments = [next_run(Schedule(crontab="0 2 * * *", time_zone=BERLIN), key, now) for key in KEYS]
    assert {moment.strftime("%m-%d %H:%M") for moment in moments if moment} == {"05-01 00:00"}
    assert max(Counter(moments).values()) < 40


SPRING = (datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 3, 29, 12, tzinfo=UTC))
AUTUMN = (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("crontab", "zone", "span", "expected"),
    [
        # 02:30 does not exist on 28 March: the run is at 03:00, just after the gap.
        ("30 2 * * *", BERLIN, SPRING, ["28 01:00", "29 00:30"]),
        ("0 3 * * *", BERLIN, SPRING, ["28 01:00", "29 01:00"]),
        # 02:30 comes twice on 25 October: the run is at the first one.
        ("30 2 * * *", BERLIN, AUTUMN, ["25 00:30", "26 01:30"]),
        ("0 2,3 * * *", BERLIN, AUTUMN, ["25 00:00", "25 02:00", "26 01:00", "26 02:00"]),
        ("30 2 * * *", "UTC", AUTUMN, ["25 02:30", "26 02:30"]),
    ],
)
def test_a_change_of_the_clock_neither_skips_nor_repeats_a_run(
    crontab: str, zone: str, span: tuple[datetime, datetime], expected: list[str]
) -> None:
    schedule = Schedule(crontab=crontab, time_zone=zone)
    for key in KEYS[:20]:
        assert [moment.strftime("%d %H:%M") for moment in runs(schedule, key, *span)] == expected
    # Whenever the beat asks, a run that is over is not named again.
    moments = [span[0] + timedelta(minutes=7 * step) for step in range(400)]
    assert all((next_run(schedule, KEYS[0], moment) or span[0]) > moment for moment in moments)


@pytest.mark.parametrize("span", [SPRING, AUTUMN])
def test_a_crontab_of_each_half_hour_runs_in_real_time_through_the_change(span: tuple[datetime, datetime]) -> None:
    found = runs(Schedule(crontab="*/30 * * * *", time_zone=BERLIN), KEYS[3], *span)
    assert {b - a for a, b in itertools.pairwise(found)} == {timedelta(minutes=30)}


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (Schedule(299), "from 5 minutes to 366 days"),
        (Schedule(0), "from 5 minutes"),
        (Schedule(367 * 86_400), "to 366 days"),
        (Schedule(600, "0 2 * * *"), "not both"),
        (Schedule(crontab="0 2 * *"), "five fields"),
        (Schedule(crontab="0 0 2 * * *"), "five fields"),
        (Schedule(crontab="@daily"), "five fields"),
        (Schedule(crontab="60 * * * *"), "its minute is wrong"),
        (Schedule(crontab="0 2 * * 8"), "its day of week is wrong"),
        (Schedule(crontab="0 2 30 2 *"), "its day of month is wrong"),
        (Schedule(crontab="*/4 * * * *"), "twice within 4 minutes; .* is 5 minutes"),
        (Schedule(crontab="58,1 * * * *"), "twice within 3 minutes"),
        (Schedule(crontab="1,59 0,23 * * *"), "twice within 2 minutes"),
        (Schedule(crontab="0 2 * * *", time_zone="europe/berlin"), "not a time zone"),
        (Schedule(crontab="0 2 * * *", time_zone="localtime"), "not a time zone"),
        (Schedule(crontab="0 2 * * *", time_zone="../UTC"), "not a time zone"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_with_the_reason(schedule: Schedule, reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        check_schedule(schedule, shortest_seconds=300)


@pytest.mark.parametrize("crontab", ["*/5 * * * *", "0 2 * * MON-FRI", "0 0 L * *", "0 0 29 2 *"])
def test_a_valid_crontab_is_taken_and_a_lower_floor_takes_more(crontab: str) -> None:
    check_schedule(Schedule(crontab=crontab, time_zone=BERLIN), shortest_seconds=300)
    check_schedule(Schedule(crontab="* * * * *"), shortest_seconds=30)
    check_schedule(Schedule(30), shortest_seconds=30)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(), "only on request"),
        (Schedule(30), "every 30 seconds"),
        (Schedule(300), "every 5 minutes"),
        (Schedule(3600), "every hour"),
        (Schedule(5400), "every 90 minutes"),
        (Schedule(86_400), "every day"),
        (Schedule(2 * 86_400), "every 2 days"),
        (Schedule(7 * 86_400), "every week"),
        (Schedule(25 * 3600), "every 25 hours"),
        (Schedule(86_460), "every 1 day 1 minute"),
        (Schedule(crontab="0 2 * * *", time_zone=BERLIN), "every day at 02:00 Europe/Berlin"),
        (Schedule(crontab="30 6 * * 1-5"), "on Monday through Friday at 06:30 UTC"),
        (Schedule(crontab="*/30 * * * *"), "every 30th minute of every hour, UTC"),
    ],
)
def test_a_schedule_is_told_in_words(schedule: Schedule, words: str) -> None:
    assert schedule_words(schedule) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ("90", 5400), ("30 seconds", 30), ("1h", 3600), ("Every 6 hours", 21_600), ("day", 86_400)],
)
def test_a_typed_interval_is_read(text: str, seconds: int | None) -> None:
    assert read_interval(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-5 min", "1.5 h", "5 x", "٥ minutes", "every", "1 h 30 min"])
def test_a_typed_interval_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="a number and a unit"):
        read_interval(text)
