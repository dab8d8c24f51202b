"""The command migrate: migrate every database of the hub."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import DEFAULT_DB_ALIAS

from core.store.databases import REGISTRY_APPS
from core.store.unit_of_work import REGISTRY


class Command(MigrateCommand):
    """Django's command, which migrates one database, extended to all databases of the hub."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Set no default database, so that `handle` can tell a missing --database from --database default."""
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Return the arguments of the system checks: check the databases that the command migrates."""
        chosen = options["database"]
        databases = {DEFAULT_DB_ALIAS, REGISTRY} if chosen is None else {chosen}
        return super().get_check_kwargs(options) | {"databases": sorted(databases)}

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate the database that --database names, or without this option all databases of the hub.

        A migration of the registry may also change rows of Django's own tables, such as the permissions on its models,
        so the registry's migrations run on the default database too.
        """
        if options["database"] is not None:
            super().handle(*args, **options)
            return
        app = options["app_label"]
        super().handle(*args, **options | {"database": DEFAULT_DB_ALIAS})
        if REGISTRY != DEFAULT_DB_ALIAS and (app is None or app in REGISTRY_APPS):
            # One app after another: a run for all apps would record migrations of apps that have no tables here.
            for label in REGISTRY_APPS if app is None else [app]:
                super().handle(*args, **options | {"database": REGISTRY, "app_label": label})
