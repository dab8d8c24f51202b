"""The command verify_backup: decrypt a backup and compare its digests, and write nothing."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table

from core.console import make_console, make_progress
from fedhub.backup.errors import BackupError
from fedhub.backup.passphrase import find_passphrase
from fedhub.backup.verify import verify_backup


class Command(BaseCommand):
    """Verifies a backup and prints what it contains."""

    help = "Decrypt a backup, compare the digests of its tables, and print them. Nothing is written."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the passphrase."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="instead of FEDHUB_BACKUP_PASSPHRASE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the tables; raise CommandError for a file that could not be restored."""
        console = make_console(self.stdout)
        try:
            passphrase = find_passphrase(options["passphrase_file"], is_new=False)
            with make_progress(console) as progress:
                task = progress.add_task("rows", total=None)
                found = verify_backup(
                    options["file"],
                    passphrase,
                    progress=lambda label, rows: progress.update(task, description=label, advance=rows),
                )
        except BackupError as exc:
            raise CommandError(str(exc)) from exc
        table = Table("Table", "Rows", "Digest", box=None, pad_edge=False)
        for each in filter(attrgetter("rows"), found.tables):
            table.add_row(each.label, str(each.rows), each.digest[:12])
        console.print(table)
        head = found.head
        keys = "without keys" if head.keys is None else "with keys"
        console.print(f"Of {head.hub_url}, made at {head.made_at} by version {head.version}, {keys}.")
        console.print(f"The file is whole: {found.rows} rows with the digests of their tables.", style="green")
