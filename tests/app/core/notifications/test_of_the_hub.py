"""What the hub notices of itself."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from core.notifications.models import Event
from core.notifications.of_the_hub import check_storage, hear_beat

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(("free_mb", "is_low"), [(1023, True), (1024, False), (0, True)])
def test_little_space_is_told_once_a_day(monkeypatch: pytest.MonkeyPatch, free_mb: int, is_low: bool) -> None:
    usage = SimpleNamespace(free=free_mb * 1024**2, total=10**12)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for hours in (0, 1, 2, 24):
        check_storage(NOW + timedelta(hours=hours))
    assert Event.objects.filter(kind="storage.low").count() == (2 if is_low else 0)


def test_a_silence_of_the_beat_is_told_when_it_ends() -> None:
    for seconds in (0, 30, 60, 90 + 9 * 60):
        hear_beat(NOW + timedelta(seconds=seconds))
    assert not Event.objects.exists()
    hear_beat(NOW + timedelta(hours=2))
    hear_beat(NOW + timedelta(hours=2, seconds=30))
    assert Event.objects.get().text.startswith("No sweep ran for 109 minutes")
