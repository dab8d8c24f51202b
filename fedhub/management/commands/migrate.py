"""Bring every database of the hub up to date, in one command."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import DEFAULT_DB_ALIAS

from core.store.databases import REGISTRY_APPS
from core.store.units import REGISTRY


class Command(MigrateCommand):
    """Django's own, which knows one database at a time."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Let the database be left out, which is not the same as asking for the default one."""
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Check the databases that are about to be migrated."""
        chosen = options["database"]
        databases = {DEFAULT_DB_ALIAS, REGISTRY} if chosen is None else {chosen}
        return super().get_check_kwargs(options) | {"databases": sorted(databases)}

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate the database that is named; where none is, the one of each app."""
        if options["database"] is not None:
            super().handle(*args, **options)
            return
        app = options["app_label"]
        if REGISTRY == DEFAULT_DB_ALIAS or app not in REGISTRY_APPS:
            super().handle(*args, **options | {"database": DEFAULT_DB_ALIAS})
        if REGISTRY != DEFAULT_DB_ALIAS and (app is None or app in REGISTRY_APPS):
            # App by app: of the others nothing would be recorded here but names.
            for label in REGISTRY_APPS if app is None else [app]:
                super().handle(*args, **options | {"database": REGISTRY, "app_label": label})
