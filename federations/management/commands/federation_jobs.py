"""The command that lists the latest jobs."""

from __future__ import annotations

from datetime import datetime
from textwrap import shorten
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rich.table import Table

from core.admin.labels import count_text
from core.console import make_console
from federations.models import JobStatus, SyncJob
from federations.services.job_states import job_outcome

STYLE_OF_STATUS = {JobStatus.SUCCESS: "green", JobStatus.FAILED: "red", JobStatus.SYNCING: "yellow"}
# In characters, so that a job is one line of the table. Its page and the API have the whole text.
LONGEST_ERROR = 48


class Command(BaseCommand):
    """Print one line for each job, newest first."""

    help = "List sync and deletion jobs, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        only = "only the jobs of this federation, deleted ones too"
        parser.add_argument("only", nargs="?", metavar="ID", help=only)
        parser.add_argument("--federation", metavar="ID", help="the same as an option")
        parser.add_argument("--limit", type=int, default=20, help="how many (default: %(default)s)")

    def handle(self, *args: Any, only: str | None, federation: str | None, limit: int, **options: Any) -> None:
        """Print the table, or `No jobs.`"""
        jobs = SyncJob.objects.defer("changes", "warnings")
        if named := only or federation:
            jobs = jobs.filter(federation_id=named)
        console = make_console(self.stdout)
        rows = list(jobs[: max(limit, 0)])
        if not rows:
            console.print("No jobs.")
            return
        table = Table(box=None, pad_edge=False)
        for heading in ("Job", "Created", "Federation", "Type", "Status", "Phase", "Took", "Trigger", "By", "Outcome"):
            table.add_column(heading, overflow="fold")
        for job in rows:
            table.add_row(*_cells(job), style=STYLE_OF_STATUS.get(JobStatus(job.status), ""))
        console.print(table)


def _cells(job: SyncJob) -> tuple[str, ...]:
    return (
        job.id,
        f"{job.created_at:%Y-%m-%d %H:%M:%S}",
        job.federation_name or job.lock_key,
        job.job_type,
        job_outcome(job).lower(),
        _phase(job),
        _duration(job.started_at, job.finished_at),
        job.trigger,
        job.requested_by_name,
        _outcome(job),
    )


def _phase(job: SyncJob) -> str:
    """Return the phase and progress of an active job. The status of an ended job is enough."""
    if not job.is_active:
        return ""
    return f"{job.phase} {job.progress_done}/{job.progress_total}" if job.progress_total else job.phase


def _duration(started_at: datetime | None, finished_at: datetime | None) -> str:
    if started_at is None:
        return ""
    return f"{((finished_at or timezone.now()) - started_at).total_seconds():.1f} s"


def _outcome(job: SyncJob) -> str:
    """Return the shortened error, or the counters as `+created ~updated -deleted =unchanged` with the warnings."""
    if job.error or not job.summary:
        return shorten(job.error, LONGEST_ERROR, placeholder=" …")
    counts = [
        f"{sign}{job.summary[action + 'McpServers'] + job.summary[action + 'Agents']}"
        for sign, action in (("+", "created"), ("~", "updated"), ("-", "deleted"), ("=", "unchanged"))
    ]
    return " ".join([*counts, *([count_text(job.warning_count, "warning")] if job.warning_count else [])])
