"""The schedule of a federation in the file: how it is observed and written.

This module and the model `Schedule` in `document.py` are the only places that know the kinds of schedules.
"""

from __future__ import annotations

from typing import Any

from federations.models import Federation
from federations.services.schedule import set_interval
from fedhub.config_file.document import Schedule


def observed_schedule(federation: Federation) -> dict[str, Any]:
    """Return the schedule of a federation with each key of the model `Schedule`."""
    return Schedule(interval_minutes=federation.sync_interval_minutes).model_dump()


def write_schedule(federation: Federation, schedule: dict[str, Any]) -> None:
    """Store a schedule with each key of the model `Schedule`, in the open transaction; raises InvalidRequestError."""
    set_interval(federation, schedule["interval_minutes"])
