"""The base of commands whose exit code says whether something would change."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

WOULD_CHANGE = 2


class PlanCommand(BaseCommand):
    """A command that exits with 0 if nothing would change, with WOULD_CHANGE if something would, with 1 on an error."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, which ends with 1 on a wrong option: argparse's 2 would mean that something changes."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if parser.called_from_command_line:
            parser.error = partial(_refuse_options, parser)  # type: ignore[method-assign]
        return parser


def _refuse_options(parser: ArgumentParser, message: str) -> NoReturn:
    parser.print_usage()
    parser.exit(1, f"{parser.prog}: error: {message}\n")
