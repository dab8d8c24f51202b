"""The schedule of a federation in the file: how it is checked, observed and written.

This module and the model `Schedule` in `document.py` are the only places that know the kinds of schedules.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from core.actors import Actor
from core.errors import InvalidRequestError
from federations.models import Federation
from federations.schedules import rule
from federations.services.schedule import set_paused, set_schedule
from fedhub.config_file.document import Schedule


def wanted_schedule(entry: Schedule, observed: dict[str, Any] | None) -> dict[str, Any]:
    """Return an entry with each key of the model, in the form of `observed`; raises InvalidRequestError.

    The schedule is one value, except for its pause: an entry without `paused` leaves the pause as it is.
    """
    found = entry.model_dump() | {"crontab": " ".join(entry.crontab.split())}
    rule.check_schedule(_rule_of(found), shortest_seconds=settings.FEDHUB_SHORTEST_SYNC_SECONDS)
    if not _rule_of(found) and entry.paused:
        raise InvalidRequestError("paused needs an interval or a crontab")
    if "paused" not in entry.model_fields_set and _rule_of(found):
        found["paused"] = bool(observed and observed["paused"])
    return found


def observed_schedule(federation: Federation) -> dict[str, Any]:
    """Return the schedule of a federation with each key of the model."""
    return {
        "interval_seconds": federation.sync_interval_seconds,
        "crontab": federation.sync_crontab,
        "time_zone": federation.sync_time_zone,
        "paused": federation.is_sync_paused,
    }


def write_schedule(federation: Federation, schedule: dict[str, Any], *, by: Actor) -> None:
    """Store a schedule with each key of the model, in the open transaction; raises InvalidRequestError."""
    set_schedule(federation, _rule_of(schedule))
    if federation.is_sync_paused != schedule["paused"]:
        set_paused(federation, schedule["paused"], by=by)


def _rule_of(schedule: dict[str, Any]) -> rule.Schedule:
    return rule.Schedule(schedule["interval_seconds"], schedule["crontab"], schedule["time_zone"])
