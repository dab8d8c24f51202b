"""The rules of retries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from federations.providers.agentcore.retry import is_passing, retry_after_seconds, with_jitter

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 424, 429, 500, 502, 503, 504])
def test_a_temporary_status_passes(status: int) -> None:
    assert is_passing(status, "")


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 405, 409, 410, 501, 505, 599])
def test_another_status_does_not_pass(status: int) -> None:
    assert not is_passing(status, "ConflictException")


def test_a_conflict_passes_if_aws_calls_it_retryable() -> None:
    assert is_passing(409, "RetryableConflictException:http://internal.amazon.com/coral/")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, 999999999999),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 99 Mar 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


def test_the_jitter_takes_at_most_a_half() -> None:
    waits = [with_jitter(8) for _ in range(500)]
    assert 4 <= min(waits) < 5 < 7 < max(waits) <= 8
