"""The router of a hub whose registry has a database of its own."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from core.store.databases import REGISTRY_APPS
from core.store.unit_of_work import REGISTRY


class RegistryRouter:
    """The database router of Django's settings for a hub with two databases.

    It sends the models of federations and peers to the registry's database, and all other models to the default one.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return the database of the model's rows, or None for Django's default."""
        return REGISTRY if model._meta.app_label in REGISTRY_APPS else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """Return the database of the model's rows, or None for Django's default."""
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Tell whether the app has tables in the database; None for a database that is neither of the two."""
        if db == REGISTRY:
            return app_label in REGISTRY_APPS
        if db == DEFAULT_DB_ALIAS:
            return app_label not in REGISTRY_APPS
        return None
