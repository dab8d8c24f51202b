from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.activity.lines import FieldChange, Line, Position, Window, merged, read_position
from core.activity.words import NOTHING, FieldWords, changes_in_words, choice_title, title_of

START = datetime(2026, 11, 29, 12, tzinfo=UTC)


def line(source: str, key: int, minutes: int = 0, tells: str = "") -> Line:
    return Line(START + timedelta(minutes=minutes), source, str(key), "ada", "Changed", tells=tells)


def test_books_are_merged_the_newest_first_in_pages_that_lose_and_repeat_no_line() -> None:
    books = {
        "audit": [line("audit", number, number // 3) for number in range(20)],
        "job": [line("job", number, number // 2) for number in range(20)],
        # The audit log tells two lines of the journal with more, at the same time.
        "journal": [line("journal", number, number) for number in range(6)],
    }
    books["audit"] += [line("audit", 100 + number, number, tells=f"journal-{number}") for number in (2, 4)]
    expected = [each for lines in books.values() for each in lines if each.name not in ("journal-2", "journal-4")]
    expected.sort(key=lambda each: each.position.rank, reverse=True)

    for size in (1, 3, 7, 60):
        seen: list[Line] = []
        before: Position | None = None
        while True:
            window = Window(size * 2 + 1, before=before)
            page = merged((window.keep(lines) for lines in books.values()), size=size)
            seen += page.lines
            if page.older is None:
                break
            before = read_position(str(page.older))
        assert seen == expected, size


def test_lines_after_a_position_come_oldest_first() -> None:
    lines = [line("audit", number, number) for number in range(12)]
    window = Window(2, after=lines[8].position)
    page = merged([window.keep(lines)], size=1, oldest_first=True)
    assert [each.key for each in page.lines] == ["9"]
    assert Window(5, key="10").keep(lines) == [lines[10]]
    assert [read_position(text) for text in ("", "x~audit~1", "2026-11-29T12:00:00~audit~1", "2026-11-29~~")] == [
        None
    ] * 4
    assert replace(lines[0], key="9").position.rank < replace(lines[0], key="10").position.rank


def test_changes_are_told_in_the_words_of_the_pages() -> None:
    words = {
        "provider_config": FieldWords(parts={"region": "Region", "resourceTagsFilter": "Tag filter"}),
        "level": FieldWords("Level", {"1": "View", "3": "Owner"}),
        "is_sync_paused": FieldWords("Schedule paused"),
    }
    changes = {
        "provider_config": [
            '{"region": "us-east-1", "resourceTagsFilter": {"env": "dev"}}',
            '{"region": "us-east-1", "resourceTagsFilter": {"env": "production", "team": "a"}}',
        ],
        "level": ["1", "3"],
        "is_sync_paused": ["False", "True"],
        "groups": {"type": "m2m", "operation": "add", "objects": ["Reader"]},
        "sync_crontab": ["", "0 2 * * *"],
        "sync_time_zone": ["", "None"],
    }

    assert list(changes_in_words(changes, words)) == [
        FieldChange("Groups added", "", "Reader"),
        FieldChange("Level", "View", "Owner"),
        FieldChange("Tag filter", "env: dev", "env: production, team: a"),
        FieldChange("Schedule paused", "no", "yes"),
        FieldChange("Sync crontab", NOTHING, "0 2 * * *"),
    ]
    assert title_of("assumeRoleArn") == "Assume role arn"
    labels = ("AWS Bedrock AgentCore", "MCP registry", "Waiting Approval", "A2A")
    assert [choice_title(label) for label in labels] == [
        "AWS Bedrock AgentCore",
        "MCP registry",
        "Waiting approval",
        "A2A",
    ]
