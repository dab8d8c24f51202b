"""The command prune: delete the old rows now, or show what a prune would take."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.table import Table

from core.console import make_console
from core.retention.prune import prune
from fedhub.retention import KINDS


class Command(BaseCommand):
    """The command that makes passes of the prune until all kinds are pruned."""

    help = (
        "Delete the rows of work that ended more than FEDHUB_KEEP_DAYS ago, as the daily task does. The command may be "
        "stopped at any time; the next prune continues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the dry run."""
        parser.add_argument("--dry-run", action="store_true", help="delete nothing; show the old rows of each kind")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, or show the table; raise CommandError where another prune works or a kind fails."""
        if options["dry_run"]:
            self._show()
            return
        console = make_console(self.stdout)
        taken: dict[str, int] = {}
        while True:
            result = prune(KINDS, now=timezone.now())
            if not result.has_turn:
                raise CommandError("Another prune works now.")
            for name, number in result.taken.items():
                taken[name] = taken.get(name, 0) + number
            if result.is_complete:
                break
        for kind in KINDS:
            if taken.get(kind.name):
                console.print(f"{kind.title}: {taken[kind.name]:,}")
        console.print(f"{sum(taken.values()):,} rows deleted.", style="green")
        if result.errors:
            raise CommandError(f"Not pruned: {', '.join(sorted(result.errors))}; the log has the errors.")

    def _show(self) -> None:
        now = timezone.now()
        table = Table("Kind", "Rows", "Old", "They go", title=f"FEDHUB_KEEP_DAYS={settings.FEDHUB_KEEP_DAYS}")
        for kind in KINDS:
            table.add_row(kind.title, f"{kind.rows.count():,}", f"{kind.old(now).count():,}", kind.rule)
        console = make_console(self.stdout)
        console.print(table)
        console.print("Of the old rows those stay that open work still needs.")
