"""Start the scheduled syncs whose time has come.

Theory of operation: the rows are the truth. One transaction creates the jobs of the due federations and moves their
`next_sync_at` to the next run after now. So a crash between two of these transactions loses nothing, two processes that
act at the same time start each sync once (the rows are locked, and a federation has at most one active job), and a
federation whose runs were missed during an outage runs once. The message to the worker is only a nudge: the sweep sends
it again.

A federation that is busy is left for its next run, because the running sync reads the same account.
"""

from __future__ import annotations

import logging

from django.db import IntegrityError
from django.utils import timezone

from core.actors import SCHEDULE
from core.errors import HubError
from core.jobs.queue import enqueue
from core.store.many_rows import update_each
from core.store.unit_of_work import locked, retried, unit_of_work
from federations.models import ACTIVE_JOB, Federation, FederationStatus, JobTrigger, SyncJob, SyncStatus
from federations.services.schedule import next_sync_of
from federations.services.start import check_syncable, new_job

logger = logging.getLogger(__name__)

BATCH = 500
# A manual start between the look for busy federations and the new jobs undoes the batch.
MOST_ATTEMPTS = 3


def start_due_syncs() -> int:
    """Queue a sync of each federation whose scheduled time has come; return the number of queued syncs."""
    started = attempts = 0
    while due := _due():
        # Before the transaction: the first check imports the provider, which takes seconds.
        syncable = {row.id for row in due if _is_syncable(row)}
        try:
            started += _start([row.id for row in due], syncable)
        except IntegrityError:
            attempts += 1
            if attempts == MOST_ATTEMPTS:
                logger.warning("Scheduled syncs could not be queued, because others start syncs at the same time")
                break
    return started


def _due() -> list[Federation]:
    due = Federation.objects.filter(status=FederationStatus.ACTIVE, next_sync_at__lte=timezone.now())
    return list(due.order_by("next_sync_at", "id")[:BATCH])


@retried
def _start(ids: list[str], syncable: set[str]) -> int:
    """Queue the syncs of these federations in one transaction, and move all of them to their next run."""
    with unit_of_work():
        due = Federation.objects.filter(id__in=ids, status=FederationStatus.ACTIVE, next_sync_at__lte=timezone.now())
        rows = list(locked(due.order_by("id")))
        now = timezone.now()
        busy = set(SyncJob.objects.filter(ACTIVE_JOB, lock_key__in=ids).values_list("lock_key", flat=True))
        jobs = []
        for row in rows:
            row.next_sync_at = next_sync_of(row, now)
            if row.id in busy:
                logger.info("Federation %s is busy, so its scheduled sync is left for %s", row.id, row.next_sync_at)
            elif row.id in syncable:
                jobs.append(_job_of(row))
                row.last_sync, row.sync_status = jobs[-1], SyncStatus.PENDING
        SyncJob.objects.bulk_create(jobs)
        update_each(rows, ["next_sync_at", "last_sync", "sync_status"], batch_size=BATCH)
        for job in jobs:
            enqueue("federations.run_job", job.id)
    return len(jobs)


def _is_syncable(federation: Federation) -> bool:
    try:
        check_syncable(federation)
    except HubError as exc:
        logger.warning("Scheduled sync of federation %s: %s", federation.id, exc)
        return False
    return True


def _job_of(federation: Federation) -> SyncJob:
    """Return the job of a scheduled sync. Without a worker it waits until the next run, and is not lost before it."""
    job = new_job(federation, trigger=JobTrigger.SCHEDULE, reason="", by=SCHEDULE, queued=True)
    if federation.next_sync_at and job.lease_expires_at:
        job.lease_expires_at = max(job.lease_expires_at, federation.next_sync_at)
    return job
