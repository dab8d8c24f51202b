"""What workers do. Each task loads by id, calls one service, and owns the retries.

A run that failed is told by its job's row and its log line, not retried here: the next sync is the retry. Only a
database that was busy is tried again, since then nothing was recorded.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import DatabaseError, OperationalError

from core.actors import SCHEDULE
from core.errors import HubError
from core.jobs.queue import enqueue
from federations.models import Federation, JobTrigger, JobType
from federations.services.jobs import end_lapsed_jobs, pick_due_jobs
from federations.services.run import run_sync
from federations.services.schedule import remove_schedule, repair_schedules
from federations.services.start import start_sync

logger = logging.getLogger(__name__)

SWEEP_BATCH = 100


@shared_task(
    name="federations.run_job", autoretry_for=(OperationalError,), retry_backoff=True, retry_kwargs={"max_retries": 5}
)
def run_job(job_id: str) -> None:
    """Run the queued job; one that another worker has claimed, or that has ended, is left alone."""
    try:
        run_sync(job_id)
    except HubError as exc:
        logger.warning("Job %s: %s", job_id, exc)


@shared_task(
    name="federations.sync_on_schedule",
    autoretry_for=(OperationalError,),
    retry_backoff=True,
    retry_kwargs={"max_retries": 5},
)
def sync_on_schedule(federation_id: str) -> None:
    """Sync the federation now; one that is busy or disabled is left for its next turn, one that is gone for good."""
    federation = Federation.objects.filter(pk=federation_id).first()
    if federation is None:
        remove_schedule(federation_id)
        return
    try:
        job = start_sync(
            federation,
            job_type=JobType.FULL_SYNC,
            trigger=JobTrigger.SCHEDULE,
            reason="",
            force=False,
            by=SCHEDULE,
            queued=False,
        )
        run_sync(job.id)
    except HubError as exc:
        logger.warning("Scheduled sync of federation %s: %s", federation_id, exc)


@shared_task(name="federations.sweep")
def sweep() -> None:
    """Free what lapsed leases hold, mend schedules, then nudge again the queued jobs that no worker has taken."""
    for mend in (end_lapsed_jobs, repair_schedules):
        try:
            mend()
        except DatabaseError:
            # The rest does not depend on it, and the next sweep is near.
            logger.exception("The sweep could not finish %s", mend.__name__)
    for job_id in pick_due_jobs(SWEEP_BATCH):
        enqueue("federations.run_job", job_id)
