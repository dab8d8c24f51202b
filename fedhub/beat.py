"""The scheduler of the beat process: the lease, the scheduled syncs, and the periodic tasks of the hub."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from typing import Any

from django.db import close_old_connections
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler

from core.beat.lease import give_back, hold, holder_now
from federations.services.due_syncs import start_due_syncs

# How often a beat renews its lease or looks whether it can take it, and looks for due syncs.
SECONDS_BETWEEN_LOOKS = 5.0
# A change of the clock from which on the beat plans its tasks anew; time services move the clock by less.
CLOCK_JUMP_SECONDS = 5.0

logger = logging.getLogger(__name__)


class HubScheduler(DatabaseScheduler):  # type: ignore[misc]
    """Acts only with the lease of the beat. It starts the scheduled syncs itself, so that they need no free worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.holder = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._acting_beat = ""
        self._next_look = 0.0
        self._clock = time.time() - time.monotonic()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do what is due; return the seconds until the next call. An error of a database or broker ends no beat."""
        pause = min(float(self.max_interval), SECONDS_BETWEEN_LOOKS)
        try:
            self._follow_the_clock()
            if time.monotonic() >= self._next_look:
                close_old_connections()
                self._look(pause)
            if self._acting_beat != self.holder:
                return pause
            return float(min(super().tick(*args, **kwargs), pause))
        except Exception:  # the beat must outlive its databases and its broker
            logger.exception("The beat tries again in %.0f seconds", pause)
            self._next_look = 0.0
            return pause

    def close(self) -> None:
        """Store the times of the last runs, and let another beat take over at once."""
        super().close()
        if self._acting_beat == self.holder:
            give_back(self.holder)

    def all_as_schedule(self) -> Any:
        """Return the periodic tasks. One that ran at a time to come ran before the clock was set back.

        Without the correction it would wait for that time, and the sweeps with it.
        """
        entries, now = super().all_as_schedule(), timezone.now()
        for name, entry in entries.items():
            if entry.last_run_at > now:
                entry.last_run_at = entry.model.last_run_at = now
                entry.model.no_changes = True
                self._dirty.add(name)
        return entries

    def _follow_the_clock(self) -> None:
        """Read the tasks again after a change of the clock: the times at which they are due are of the clock before."""
        before, self._clock = self._clock, time.time() - time.monotonic()
        if abs(self._clock - before) > CLOCK_JUMP_SECONDS:
            logger.warning("The clock was changed by %+.0f seconds", self._clock - before)
            self._initial_read, self._heap = True, None

    def _look(self, pause: float) -> None:
        """Renew or take the lease, and start the due syncs."""
        acting = self.holder if hold(self.holder) else holder_now()
        if acting != self._acting_beat:
            self._change_to(acting)
        if acting == self.holder and (started := start_due_syncs()):
            logger.info("The beat queued %d scheduled syncs", started)
        self._next_look = time.monotonic() + pause

    def _change_to(self, acting: str) -> None:
        if acting == self.holder:
            logger.warning("This beat acts now: %s", acting)
            # Another beat has acted since this one read the tasks.
            self._initial_read, self._heap = True, None
        else:
            logger.warning("Another beat acts: %s; this one, %s, waits", acting or "not known yet", self.holder)
        self._dirty.clear()
        self._acting_beat = acting
