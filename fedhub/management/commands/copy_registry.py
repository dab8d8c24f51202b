"""The command copy_registry: copy the registry into another database."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from rich.progress import Progress
from rich.table import Table

from core.console import make_console, make_progress
from core.store.copying import (
    CopyError,
    TableCopy,
    account_models,
    connect_as,
    copy_tables,
    count_rows,
    registry_models,
    replace_accounts,
)
from core.store.databases import REGISTRY_APPS
from core.store.unit_of_work import REGISTRY

TARGET = "copy_target"


class Command(BaseCommand):
    """The command that copies the registry into another database.

    The registry's present database is not changed, and an interrupted copy can be run again.
    """

    help = (
        "Copy the registry into another database and verify that both hold the same rows. Between relational databases "
        "users, tokens and schedules are copied too. Stop the web, worker and beat processes first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the target and the option to delete its surplus rows."""
        parser.add_argument("--to", required=True, metavar="URL", help="postgres://…, sqlite:///… or mongodb://…")
        parser.add_argument(
            "--delete-surplus",
            action="store_true",
            help="delete rows that only the target's registry holds",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the target's tables, copy each table, compare all tables, and print the result."""
        console = make_console(self.stdout)
        try:
            with make_progress(console) as progress, connect_as(TARGET, options["to"]):
                copies = _copy_all(progress, delete_surplus=options["delete_surplus"])
        except (CopyError, DatabaseError, ValueError) as exc:
            raise CommandError(str(exc)) from exc
        console.print(_table(copies))
        rows, written = sum(copy.rows for copy in copies), sum(copy.written for copy in copies)
        console.print(f"Both databases hold the same {rows} rows; this run wrote {written}.", style="green")
        console.print("Next: set the new address in the environment, and run manage.py rebuild_search.")


def _copy_all(progress: Progress, *, delete_surplus: bool) -> list[TableCopy]:
    """Create the target's tables and copy the rows.

    Django's own tables are copied too if they share a relational database with the registry. Otherwise Django's tables
    stay in the database that they have.
    """
    task = progress.add_task("creating tables", total=None)
    with_accounts = REGISTRY == DEFAULT_DB_ALIAS and connections[TARGET].vendor != "mongodb"
    for apps in [()] if with_accounts else [(app,) for app in REGISTRY_APPS]:
        call_command("migrate", *apps, database=TARGET, interactive=False, verbosity=0)
    accounts, registry = account_models() if with_accounts else [], registry_models()
    progress.update(task, total=count_rows([*accounts, *registry], REGISTRY))

    def show(label: str, rows: int) -> None:
        progress.update(task, description=label, advance=rows)

    copies = replace_accounts(source=REGISTRY, target=TARGET, progress=show) if with_accounts else []
    copies += copy_tables(registry, source=REGISTRY, target=TARGET, progress=show, delete_surplus=delete_surplus)
    progress.update(task, description="all tables are equal")
    return copies


def _table(copies: list[TableCopy]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Table")
    for heading in ("Rows", "Written", "Digest"):
        table.add_column(heading, justify="right" if heading != "Digest" else "left")
    for copy in filter(attrgetter("rows"), copies):
        table.add_row(copy.label, str(copy.rows), str(copy.written), copy.digest[:12])
    return table
