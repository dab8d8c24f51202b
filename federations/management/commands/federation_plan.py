"""The command that makes a stored plan and prints it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.console import make_console
from core.errors import HubError
from federations.api.plan_serializers import PlanSerializer, StoredChangeSerializer
from federations.management.job_progress import SHELL
from federations.management.plan_command import WOULD_CHANGE, PlanCommand
from federations.management.plan_output import count_actions, show_plan
from federations.models import Federation, StoredPlan
from federations.services.stored_plans.make import create_plan
from federations.services.stored_plans.read_changes import changes_of, with_details


class Command(PlanCommand):
    """Exit with 0 if a sync would change nothing, with 2 if it would, and with 1 on an error."""

    help = (
        "Store what a sync of a federation would change, and print it. "
        "Exit code: 0 nothing would change, 2 something would, 1 error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("federation", metavar="ID", help="the federation's id")
        parser.add_argument("--reason", default="", help="kept with the plan")
        parser.add_argument("--json", action="store_true", help="print the plan and all its changes as JSON")

    def handle(self, *args: Any, federation: str, reason: str, json: bool, **options: Any) -> None:
        """Make the plan and print it. Errors of single runtimes are an error of the command if nothing would change."""
        row = Federation.objects.filter(pk=federation).first()
        if row is None:
            raise CommandError(f"There is no federation with the id {federation}.")
        console = make_console(self.stdout)
        try:
            with nullcontext() if json else console.status("Discovering …"):
                plan = create_plan(row, by=SHELL, reason=reason)
        except HubError as exc:
            raise CommandError(exc.message) from exc
        if json:
            self.stdout.write(_as_json(plan))
        else:
            show_plan(console, plan)
        counts = count_actions(plan)
        if counts["create"] + counts["update"] + counts["delete"]:
            raise SystemExit(WOULD_CHANGE)
        if counts["error"]:
            raise CommandError("Nothing else would change, but some runtimes could not be read.")


def _as_json(plan: StoredPlan) -> str:
    changes = StoredChangeSerializer(with_details(changes_of(plan).iterator(chunk_size=100)), many=True).data
    return json.dumps({"plan": PlanSerializer(plan).data, "changes": changes}, indent=2)
