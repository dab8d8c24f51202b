"""The command restore: write a backup into an empty hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.console import make_console, make_progress
from fedhub.backup.errors import BackupError
from fedhub.backup.passphrase import find_passphrase
from fedhub.backup.restore import restore_backup


class Command(BaseCommand):
    """Restores a backup: all of it, or nothing."""

    help = (
        "Write a backup into an empty hub: all of it, or nothing. Stop the web, worker and beat processes first, and "
        "run migrate. The backup may come from another store (SQLite, PostgreSQL, MongoDB)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file, the passphrase, and the acceptance of another key."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="instead of FEDHUB_BACKUP_PASSPHRASE")
        parser.add_argument(
            "--accept-new-key",
            action="store_true",
            help="restore a backup without keys although the hub's key is lost; all peers must approve a new one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, build the search index, and print what is left to do; raise CommandError if that is refused."""
        console = make_console(self.stdout)
        try:
            passphrase = find_passphrase(options["passphrase_file"], is_new=False)
            with make_progress(console) as progress:
                task = progress.add_task("rows, twice", total=None)
                done = restore_backup(
                    options["file"],
                    passphrase,
                    accept_new_key=options["accept_new_key"],
                    progress=lambda label, rows: progress.update(task, description=label, advance=rows),
                )
        except BackupError as exc:
            raise CommandError(str(exc)) from exc
        for path in done.written_keys:
            console.print(f"Written: {path}")
        made_at, rows = done.backup.head.made_at, done.backup.rows
        console.print(f"Restored: {rows} rows, as they were at {made_at}, with equal digests.", style="green")
        if done.unreadable:
            console.print(
                f"No key of FEDHUB_SECRETS_KEY reads {', '.join(done.unreadable)}: set an outbound key anew, and let a "
                "person add the app again.",
                style="yellow",
            )
        self._rebuild_search()
        console.print("Sessions have ended. Tokens, accounts, keys and peers that were revoked later are valid again.")
        console.print("Envelopes from before the restore are put off; see docs/operations.md, and `peer allow-older`.")

    def _rebuild_search(self) -> None:
        try:
            call_command("rebuild_search", stdout=self.stdout)
        except CommandError as exc:
            self.stderr.write(f"{exc} Run manage.py rebuild_search when the index can be reached.")
