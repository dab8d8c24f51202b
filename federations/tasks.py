"""The tasks of the workers. Each task loads a row by its id and calls one service.

A failed run is recorded in its job's row and in the log, and is not retried: the next sync is the retry. A task is
retried only if the database was busy, because then nothing was recorded.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import DatabaseError, OperationalError

from core.errors import HubError
from core.jobs.queue import enqueue_again
from core.jobs.stopping import is_stopping
from federations.services.card_checks import check_due_cards, fetch_pinned, nudge_card_checks
from federations.services.daily_counts import record_daily_counts
from federations.services.jobs import end_lapsed_jobs, make_due, pick_due_jobs
from federations.services.run import run_sync
from federations.services.runs import drive
from federations.services.runs.claim import nudge_due_runs
from federations.services.runs.drive import DRIVE_SECONDS
from federations.services.schedule import repair_schedules
from federations.services.stored_plans.end import prune_plans

logger = logging.getLogger(__name__)

SWEEP_BATCH = 100


@shared_task(
    name="federations.run_job", autoretry_for=(OperationalError,), retry_backoff=True, retry_kwargs={"max_retries": 5}
)
def run_job(job_id: str) -> None:
    """Run a queued job, unless another worker has taken it or it has ended.

    A worker that was told to stop leaves it to the next sweep: the message may be of the sync that it handed back.
    """
    if is_stopping():
        make_due([job_id])
        return
    try:
        run_sync(job_id)
    except HubError as exc:
        logger.warning("Job %s: %s", job_id, exc)


@shared_task(
    name="federations.run_agents", soft_time_limit=int(DRIVE_SECONDS) + 60, time_limit=int(DRIVE_SECONDS) + 120
)
def run_agents(run_id: str = "") -> None:
    """Drive the due runs of agents; the sweep names one of them, which is not needed."""
    drive.run_agents(stop=is_stopping)


@shared_task(name="federations.check_cards")
def check_cards(agent_id: str = "") -> None:
    """Check the signatures of the cards that are due; the sweep names one of the agents, which is not needed."""
    check_due_cards()


@shared_task(name="federations.fetch_card_keys", soft_time_limit=60, time_limit=90)
def fetch_card_keys(pin_id: str) -> None:
    """Fetch the JWK Set of a pinned address."""
    fetch_pinned(pin_id)


@shared_task(name="federations.sweep")
def sweep() -> None:
    """End lapsed jobs, repair the schedules, prune the plans, count the resources, nudge jobs, runs and checks."""
    for step in (
        end_lapsed_jobs,
        repair_schedules,
        prune_plans,
        record_daily_counts,
        nudge_due_runs,
        nudge_card_checks,
    ):
        try:
            step()
        except DatabaseError:
            # The other steps do not depend on this one, and the next sweep comes soon.
            logger.exception("The sweep could not finish %s", step.__name__)
    due = pick_due_jobs(SWEEP_BATCH)
    for number, job_id in enumerate(due):
        if not enqueue_again("federations.run_job", job_id):
            make_due(due[number:])
            return
