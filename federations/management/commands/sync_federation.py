"""The command that syncs one federation."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rich.console import Console

from core.actors import Actor
from core.console import make_console, make_progress
from core.errors import HubError
from federations.management.output import show_outcome
from federations.models import Federation, JobStatus, JobTrigger, SyncJob
from federations.services.preview import preview_sync
from federations.services.run import run_sync
from federations.services.start import start_sync

SHELL = Actor(id="", name="shell")
POLL_SECONDS = 0.25


class Command(BaseCommand):
    """Run the sync in this process, and show the progress of its job's row."""

    help = "Sync a federation now and list what changed; with --dry-run only say what would change."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("federation", metavar="ID", help="the federation's id")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
        parser.add_argument("--force", action="store_true", help="let a plan that deletes much through the guard")
        parser.add_argument("--reason", default="", help="kept with the job")

    def handle(self, *args: Any, federation: str, dry_run: bool, force: bool, reason: str, **options: Any) -> None:
        """Sync or preview. A sync that fails is an error of the command, after its outcome was printed."""
        row = Federation.objects.filter(pk=federation).first()
        if row is None:
            raise CommandError(f"There is no federation with the id {federation}.")
        console = make_console(self.stdout)
        try:
            if dry_run:
                _show_preview(console, row)
            else:
                _sync(console, row, force=force, reason=reason)
        except HubError as exc:
            raise CommandError(exc.message) from exc


def _show_preview(console: Console, federation: Federation) -> None:
    with console.status("Discovering …"):
        preview = preview_sync(federation)
    show_outcome(console, preview.summary, preview.changes, preview.warnings)
    if preview.held:
        console.print("A sync would be held by the deletion guard; --force lets it through.", style="red")
    console.print("Dry run: nothing was changed.")


def _sync(console: Console, federation: Federation, *, force: bool, reason: str) -> None:
    job = start_sync(federation, by=SHELL, trigger=JobTrigger.MANUAL, reason=reason, force=force)
    job = _run_with_progress(console, job.id)
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
            progress.update(task, **_progress_of(job_id))
        progress.update(task, **_progress_of(job_id))
        return run.result()


def _run(job_id: str) -> SyncJob:
    try:
        return run_sync(job_id)
    finally:
        # These connections belong to this thread, so only this thread can close them.
        connections.close_all()


def _is_done(run: Future[SyncJob]) -> bool:
    return bool(wait([run], timeout=POLL_SECONDS).done)


def _progress_of(job_id: str) -> dict[str, Any]:
    phase, done, total = SyncJob.objects.values_list("phase", "progress_done", "progress_total").get(id=job_id)
    # Without a total the bar moves without a percentage.
    return {"description": phase, "completed": done, "total": total or None}
