"""The command backup: write the whole hub into one encrypted file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.console import ends_at_sigterm, make_console, make_progress
from core.store.copying import count_rows
from core.store.restoring import database_of
from fedhub.backup.contents import backup_models
from fedhub.backup.errors import BackupError
from fedhub.backup.make import make_backup
from fedhub.backup.passphrase import find_passphrase


class Command(BaseCommand):
    """Makes a backup while the hub runs: the rows of one moment, without sessions and nonces."""

    help = (
        "Write registry, accounts, peers, log, grants and programs into one file, encrypted with a passphrase, while "
        "the hub runs. With --with-keys the file can speak as this hub."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file, the passphrase and the choice of keys."""
        parser.add_argument("file", type=Path, help="a new file; it gets mode 0600")
        parser.add_argument("--with-keys", action="store_true", help="add the key files and FEDHUB_SECRETS_KEY")
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="instead of FEDHUB_BACKUP_PASSPHRASE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file; raise CommandError if that is refused or fails, and leave no file then."""
        console = make_console(self.stdout)
        try:
            passphrase = find_passphrase(options["passphrase_file"], is_new=True)
            with ends_at_sigterm(), make_progress(console) as progress:
                total = sum(count_rows([model], database_of(model)) for model in backup_models())
                task = progress.add_task("rows", total=total)

                def show(label: str, rows: int) -> None:
                    progress.update(task, description=label, advance=rows)

                made = make_backup(options["file"], passphrase, with_keys=options["with_keys"], progress=show)
                progress.update(task, description="all tables are written", total=made.rows, completed=made.rows)
        except BackupError as exc:
            raise CommandError(str(exc)) from exc
        console.print(f"{options['file']} has {made.rows} rows of {len(made.tables)} tables.", style="green")
        if made.head.keys is None:
            console.print("It has no keys: keep the key files and FEDHUB_SECRETS_KEY elsewhere.")
        else:
            console.print("It has the hub's keys: a person with the file and its passphrase can speak as this hub.")
