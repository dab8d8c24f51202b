"""`manage.py sandbox`: serve a local AgentCore, or list and change the runtimes of a running one."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sandbox.client import SandboxClientError
from sandbox.command_line import add_arguments, run


class Command(BaseCommand):
    """Runs the same command line as `python -m sandbox`."""

    help = (
        "Serve a local AWS Bedrock AgentCore (default), or list, add, update and remove the runtimes of a running one."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the action."""
        try:
            run(Namespace(**options), self.stdout.write)
        except (SandboxClientError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
