"""The command that makes a stored plan and prints it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import nullcontext
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.console import make_console
from core.errors import HubError
from federations.api.plan_serializers import PlanSerializer, StoredChangeSerializer
from federations.management.job_progress import SHELL
from federations.management.plan_output import count_actions, show_plan
from federations.models import Federation, StoredPlan
from federations.services.stored_plans.make import create_plan
from federations.services.stored_plans.read_changes import changes_of, with_details

WOULD_CHANGE = 2


class Command(BaseCommand):
    """Exit with 0 if a sync would change nothing, with 2 if it would, and with 1 on an error."""

    help = (
        "Store what a sync of a federation would change, and print it. "
        "Exit code: 0 nothing would change, 2 something would, 1 error."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, which ends with 1 on a wrong option: argparse's 2 would mean that something changes."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if parser.called_from_command_line:
            parser.error = partial(_refuse_options, parser)  # type: ignore[method-assign]
        return parser

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


def _refuse_options(parser: ArgumentParser, message: str) -> NoReturn:
    parser.print_usage()
    parser.exit(1, f"{parser.prog}: error: {message}\n")
