"""The heartbeat of a running job: a thread that renews the job's lease and writes its progress.

The thread has its own database connection, so that a provider may report from any thread, even from an event loop. A
new phase is written before `report` returns, so that other processes can see each phase while it lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, connections

from core.jobs.stopping import is_stopping
from core.store.unit_of_work import LostRaceError, drop_broken_connections
from core.tracing import note
from federations.models import CANCELLABLE_PHASES
from federations.providers.base import Progress
from federations.services.jobs import Lease, LeaseLostError, hand_back

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
# A cancelled job has no lease. The worker finds that out within this time, also while no resource ends.
LEASE_CHECK_SECONDS = 1.0


class Heartbeat:
    """A context manager of `execute_job`: while its block runs, a thread renews the job's lease and writes progress.

    `lost` becomes True when another process has taken or ended the job, or when this worker was told to stop and the
    thread has put the job back into the queue.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.lost = False
        self._wanted = Progress("discovering", 0, 0)
        self._written = self._wanted
        self._changed = threading.Condition()
        self._written_at = self._checked_at = time.monotonic()
        self._renewal_seconds: float = settings.FEDHUB_JOB_LEASE_SECONDS / 3
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def report(self, progress: Progress) -> None:
        """Set the progress of the job. Wait until a new phase is written, for at most 30 seconds.

        Raises LeaseLostError.
        """
        with self._changed:
            new_phase = progress.phase != self._wanted.phase
            self._wanted = progress
            if new_phase:
                note(progress.phase)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._written.phase == progress.phase or self.lost, timeout=30)
        if self.lost:
            raise LeaseLostError(self.lease.job_id)

    def _run(self) -> None:
        try:
            while not self.lost and self._beat():
                pass
        finally:
            connections.close_all()

    def _beat(self) -> bool:
        """Wait for progress or for the time to renew the lease, and write; return False when the block has ended."""
        with self._changed:
            self._changed.wait_for(self._must_write_now, timeout=min(self._renewal_seconds, PROGRESS_SECONDS))
            if self._stopping:
                return False
            wanted = self._wanted
        if is_stopping() and wanted.phase in CANCELLABLE_PHASES and self._hand_back():
            return False
        if wanted != self._written or time.monotonic() - self._written_at >= self._renewal_seconds:
            self._write(wanted)
        elif time.monotonic() - self._checked_at >= LEASE_CHECK_SECONDS:
            self._check()
        return True

    def _hand_back(self) -> bool:
        try:
            is_handed_back = hand_back(self.lease)
        except (DatabaseError, LostRaceError):
            logger.warning("Job %s could not be handed back yet", self.lease.job_id, exc_info=True)
            drop_broken_connections()
            return False
        if is_handed_back:
            logger.info("Job %s is handed back: this worker was told to stop", self.lease.job_id)
            with self._changed:
                self.lost = True
                self._changed.notify_all()
        return is_handed_back

    def _must_write_now(self) -> bool:
        return self._stopping or self._wanted.phase != self._written.phase

    def _check(self) -> None:
        try:
            self.lost = not self.lease.rows().exists()
        except DatabaseError:
            drop_broken_connections()
        self._checked_at = time.monotonic()

    def _write(self, progress: Progress) -> None:
        # The time of a phase is that of its first write.
        write = self.lease.update if progress.phase == self._written.phase else self.lease.enter
        try:
            write(phase=progress.phase, progress_done=progress.done, progress_total=progress.total)
        except LeaseLostError:
            self.lost = True
        except DatabaseError:
            # The lease outlasts a missed beat, so a busy database does not end the job. The progress stays unwritten.
            logger.warning("Heartbeat of job %s could not be written", self.lease.job_id, exc_info=True)
            drop_broken_connections()
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, timeout=PROGRESS_SECONDS)
            return
        with self._changed:
            self._written = progress
            self._written_at = self._checked_at = time.monotonic()
            self._changed.notify_all()
