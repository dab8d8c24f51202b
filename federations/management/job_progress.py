"""Run a job in a command: its progress, its outcome, and the error of a job that failed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from rich.console import Console

from core.actors import Actor
from core.console import make_progress
from federations.management.output import show_outcome
from federations.models import JobStatus, SyncJob
from federations.services.run import run_sync

SHELL = Actor(id="", name="shell")
POLL_SECONDS = 0.25


def run_and_report(console: Console, job_id: str) -> None:
    """Run a pending job with its progress and print its outcome; raise CommandError if the job failed.

    Raises the errors of `run_sync`.
    """
    job = _run_with_progress(console, job_id)
    show_outcome(console, job.summary or {}, job.changes, job.warnings)
    if job.index_error:
        console.print(f"search index: {job.index_error}", style="yellow")
    if job.status != JobStatus.SUCCESS:
        raise CommandError(f"Job {job.id} failed; what was found without an error is stored.")
    console.print(f"Job {job.id} succeeded.", style="green")


def _run_with_progress(console: Console, job_id: str) -> SyncJob:
    """Run the job in a thread and show the progress of its row; raises the errors of `run_sync`."""
    with ThreadPoolExecutor(max_workers=1) as executor, make_progress(console) as progress:
        task = progress.add_task("queued", total=None)
        run = executor.submit(_run, job_id)
        while not _is_done(run):
            _show_progress(progress, task, job_id)
        _show_progress(progress, task, job_id)
        return run.result()


def _run(job_id: str) -> SyncJob:
    try:
        return run_sync(job_id)
    finally:
        # These connections belong to this thread, so only this thread can close them.
        connections.close_all()


def _is_done(run: Future[SyncJob]) -> bool:
    return bool(wait([run], timeout=POLL_SECONDS).done)


def _show_progress(progress: Any, task: Any, job_id: str) -> None:
    row = SyncJob.objects.filter(id=job_id).values_list("phase", "progress_done", "progress_total").first()
    # The job of a stale plan is withdrawn, and so has no row at its end.
    if row is not None:
        phase, done, total = row
        # Without a total the bar moves without a percentage.
        progress.update(task, description=phase, completed=done, total=total or None)
