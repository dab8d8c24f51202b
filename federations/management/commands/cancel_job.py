"""The command that cancels a sync."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import HubError
from federations.management.job_progress import SHELL
from federations.services.jobs import cancel


class Command(BaseCommand):
    """Cancel one job, also while another process runs it."""

    help = "Cancel a sync that waits or reads the account; nothing is changed. federation_jobs lists the ids."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("job", metavar="ID", help="the job's id")

    def handle(self, *args: Any, job: str, **options: Any) -> None:
        """Cancel the job; a job that has ended or that writes is an error of the command."""
        try:
            cancelled = cancel(job, by=SHELL)
        except HubError as exc:
            raise CommandError(exc.message) from exc
        self.stdout.write(f"Job {cancelled.id} of {cancelled.federation_name} is cancelled; nothing was changed.")
