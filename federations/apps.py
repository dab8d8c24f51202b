"""The app `federations`: the registry."""

from __future__ import annotations

from django.apps import AppConfig


class FederationsConfig(AppConfig):
    """Registers the grants on federations as roles that give a scope."""

    name = "federations"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let a person who may change one federation use the scope of writing."""
        from core.api.scopes import WRITE, register_role
        from federations.services.access import edits_any_federation

        register_role(WRITE, edits_any_federation)
