"""Which database holds what, where the registry has one of its own."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from core.store.databases import REGISTRY_APPS
from core.store.units import REGISTRY


class RegistryRouter:
    """Sends federations and peers to the registry's database; all else stays in the default one."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return where the model's rows are; None leaves it to Django."""
        return REGISTRY if model._meta.app_label in REGISTRY_APPS else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """Return where the model's rows are; None leaves it to Django."""
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Keep each app's tables to its own database; any other database is for whoever opened it to say."""
        if db == REGISTRY:
            return app_label in REGISTRY_APPS
        if db == DEFAULT_DB_ALIAS:
            return app_label not in REGISTRY_APPS
        return None
