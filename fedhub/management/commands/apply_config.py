"""The command that brings the hub in step with a configuration file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console

from core.console import make_console
from federations.management.plan_command import WOULD_CHANGE, PlanCommand
from fedhub.config_file.apply import ConfigPlan, Outcome, apply_plan, make_plan
from fedhub.config_file.show import has_changes, plan_as_json, show_errors, show_outcome, show_plan
from fedhub.config_file.yaml_reader import MAX_BYTES


class Command(PlanCommand):
    """Exit with 0 if the hub is in step with the file, with 2 if --plan finds changes, and with 1 on an error."""

    help = (
        "Show how the hub differs from a configuration file, and apply it. "
        "Exit code: 0 in step, 2 changes (with --plan), 1 error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE", help="the configuration file, for example hub.yaml")
        parser.add_argument("--plan", action="store_true", help="show the changes, and apply none")
        parser.add_argument("--prune", action="store_true", help="delete what the file's sections do not name")
        parser.add_argument("--yes", action="store_true", help="apply without a question")
        parser.add_argument("--digest", default="", help="apply only a plan with this digest, which --json shows")
        parser.add_argument("--json", action="store_true", help="print the plan and the outcomes as JSON")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        """Show the plan of the file; apply it, unless --plan is given."""
        console, is_json = make_console(self.stdout), options["json"]
        plan = make_plan(_text_of(Path(file)), folder=Path(file).resolve().parent, prune=options["prune"])
        if plan.errors:
            self._say(plan, (), console, is_json=is_json)
            raise CommandError(f"{len(plan.errors)} error(s) in {file}; nothing was applied.")
        if options["plan"]:
            self._say(plan, (), console, is_json=is_json)
            if has_changes(plan):
                raise SystemExit(WOULD_CHANGE)
            return
        if not is_json:
            show_plan(console, plan)
        self._check_consent(plan, options)
        self._apply(plan, console, is_json=is_json)

    def _say(self, plan: ConfigPlan, outcomes: tuple[Outcome, ...], console: Console, *, is_json: bool) -> None:
        if is_json:
            self.stdout.write(json.dumps(plan_as_json(plan, outcomes), indent=2, ensure_ascii=False) + "\n")
        elif plan.errors:
            show_errors(console, plan.errors)
        else:
            show_plan(console, plan)
            if has_changes(plan):
                console.print(f"Digest {plan.digest}", soft_wrap=True)

    def _check_consent(self, plan: ConfigPlan, options: dict[str, Any]) -> None:
        """Raise CommandError unless these very changes may be applied."""
        if options["digest"] and options["digest"] != plan.digest:
            raise CommandError("The plan is not the one with this digest; nothing was applied.")
        if options["yes"] or options["digest"] or not has_changes(plan):
            return
        if options["json"] or not sys.stdin.isatty():
            raise CommandError("Give --yes, or --digest of a plan that you have seen; nothing was applied.")
        if input(f"Apply these {len(plan.to_do)} changes? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was applied.")

    def _apply(self, plan: ConfigPlan, console: Console, *, is_json: bool) -> None:
        outcomes: list[Outcome] = []
        for outcome in apply_plan(plan):
            outcomes.append(outcome)
            if not is_json:
                show_outcome(console, outcome)
        if is_json:
            self._say(plan, tuple(outcomes), console, is_json=True)
        if waiting := sum(not outcome.is_whole for outcome in outcomes):
            raise CommandError(f"{waiting} of {len(outcomes)} changes were not applied as the plan shows them.")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode()
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise CommandError(f"{path} is not a UTF-8 text.") from exc
