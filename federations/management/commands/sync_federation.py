"""The command that syncs one federation."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from core.console import make_console
from core.errors import HubError
from federations.management.job_progress import SHELL, run_and_report
from federations.management.output import show_outcome
from federations.models import Federation, JobTrigger
from federations.services.preview import preview_sync
from federations.services.start import start_sync


class Command(BaseCommand):
    """Run the sync in this process, and show the progress of its job's row."""

    help = "Sync a federation now and list what changed; with --dry-run only say what would change."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("federation", metavar="ID", help="the federation's id")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
        parser.add_argument("--force", action="store_true", help="let a plan that a guard would hold through")
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
        console.print(
            "A sync would be held by a guard; federation_plan stores its plan, --force passes it.", style="red"
        )
    console.print("Dry run: nothing was changed.")


def _sync(console: Console, federation: Federation, *, force: bool, reason: str) -> None:
    job = start_sync(federation, by=SHELL, trigger=JobTrigger.MANUAL, reason=reason, force=force)
    run_and_report(console, job.id)
