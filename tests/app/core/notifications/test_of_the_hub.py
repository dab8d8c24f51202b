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
GIB = 1024**3


@pytest.mark.parametrize(
    ("free", "total", "is_low"),
    [(1, 100, True), (1.8, 19, True), (5, 100, False), (1.5, 10, False), (0, 1, True)],
)
def test_little_space_is_told_once_a_day(
    monkeypatch: pytest.MonkeyPatch, free: float, total: float, is_low: bool
) -> None:
    usage = SimpleNamespace(free=int(free * GIB), total=int(total * GIB))
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
