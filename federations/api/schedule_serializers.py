"""The JSON of a federation's schedule: an addition to the contract."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.api.fields import Flag, Text, UtcTime
from federations.models import Federation
from federations.schedules.rule import LONGEST_CRONTAB, LONGEST_INTERVAL_SECONDS, Schedule
from federations.schedules.words import schedule_words
from federations.services.schedule import PausableSchedule, schedule_of


class ScheduleRequestSerializer(serializers.Serializer[Any]):
    """The schedule in a request: an interval, or a crontab with its time zone. Unknown members are ignored."""

    intervalSeconds = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=LONGEST_INTERVAL_SECONDS
    )
    crontab = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        default=None,
        max_length=LONGEST_CRONTAB,
        help_text="Minute, hour, day of the month, month, day of the week: `0 2 * * *`.",
    )
    timeZone = Text(required=False, default="UTC", max_length=64, help_text="The crontab's time zone: `Europe/Berlin`.")
    paused = Flag(required=False, default=False, help_text="No scheduled sync starts while true.")


class ScheduleSerializer(serializers.Serializer[Federation]):
    """The schedule in a response. `nextSyncAt` is null while the schedule is paused or the federation is disabled."""

    intervalSeconds = serializers.IntegerField(source="sync_interval_seconds", allow_null=True)
    crontab = serializers.SerializerMethodField()
    timeZone = serializers.CharField(source="sync_time_zone")
    paused = serializers.BooleanField(source="is_sync_paused")
    nextSyncAt = UtcTime(source="next_sync_at", allow_null=True)
    words = serializers.SerializerMethodField()

    def get_attribute(self, instance: Federation) -> Federation | None:
        """Return the federation if it has a schedule."""
        return instance if schedule_of(instance) else None

    def get_crontab(self, federation: Federation) -> str | None:
        """Return the crontab, or null for an interval."""
        return federation.sync_crontab or None

    def get_words(self, federation: Federation) -> str:
        """Return the schedule in English words."""
        return schedule_words(schedule_of(federation))


def asked_schedule(asked: dict[str, Any]) -> PausableSchedule | None:
    """Return the schedule of a request's valid body, and None for a body without one."""
    if "schedule" not in asked:
        return None
    body = asked["schedule"] or {"intervalSeconds": None, "crontab": None, "timeZone": "UTC", "paused": False}
    crontab = " ".join((body["crontab"] or "").split())
    return PausableSchedule(Schedule(body["intervalSeconds"], crontab, body["timeZone"]), body["paused"])
