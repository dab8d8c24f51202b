"""The command that applies a stored plan."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.console import make_console
from core.errors import HubError
from federations.management.job_progress import SHELL, run_and_report
from federations.models import JobTrigger, StoredPlan
from federations.services.stored_plans.apply import start_apply


class Command(BaseCommand):
    """Apply the plan in this process, and show the progress of its job's row."""

    help = "Apply exactly a stored plan; federation_plan makes one. A plan that no longer fits changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("plan", metavar="PLAN_ID", help="the plan's id")
        parser.add_argument("--digest", default="", help="refuse a plan with another digest than this one")
        parser.add_argument("--reason", default="", help="kept with the job; required for a held plan")

    def handle(self, *args: Any, plan: str, digest: str, reason: str, **options: Any) -> None:
        """Apply the plan. A job that fails is an error of the command, after its outcome was printed."""
        row = StoredPlan.objects.filter(pk=plan).select_related("federation").first()
        if row is None:
            raise CommandError(f"There is no plan with the id {plan}.")
        try:
            job = start_apply(row, digest=digest or row.digest, by=SHELL, reason=reason, trigger=JobTrigger.MANUAL)
            run_and_report(make_console(self.stdout), job.id)
        except HubError as exc:
            raise CommandError(exc.message) from exc
