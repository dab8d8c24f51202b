"""The command export_log: write the federation log as JSON lines, for a reader without this hub."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.console import make_console, make_progress
from core.private_files import PRIVATE_FILE
from peers.protocol.log_verification import LogFaultError
from peers.services.trust.log_reading import count_entries, export_log


class Command(BaseCommand):
    """The command that exports this hub's federation log."""

    help = "Write the federation log as JSON lines. docs/verify_log.py verifies the file without this hub."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file."""
        parser.add_argument(
            "--output", required=True, metavar="FILE", type=Path, help="a new file that only you may read"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file with a progress bar; raise CommandError for a file that exists or cannot be written."""
        console, path = make_console(self.stdout), options["output"]
        try:
            # The log names people and the titles of their work.
            path.touch(PRIVATE_FILE, exist_ok=False)
            with path.open("w", encoding="utf-8") as output, make_progress(console) as progress:
                task = progress.add_task("writing", total=count_entries())
                written = export_log(output, progress=lambda count: progress.advance(task, count))
        except FileExistsError as exc:
            raise CommandError(f"{path} exists already") from exc
        except (OSError, LogFaultError) as exc:
            with suppress(OSError):
                path.unlink()
            raise CommandError(f"The log was not exported: {exc}") from exc
        console.print(f"{written} entries: verify them with python docs/verify_log.py {path}", style="green")
