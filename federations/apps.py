"""The app `federations`: the registry."""

from __future__ import annotations

from django.apps import AppConfig


class FederationsConfig(AppConfig):
    """Registers the grants on federations as roles that give a scope, and the links of the answers' pages."""

    name = "federations"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let a person who may change one federation use the scope of writing."""
        from core.api.browsable.links import register_links
        from core.api.scopes import WRITE, register_role
        from federations.api.links import LINKS
        from federations.services.access import edits_any_federation

        register_links(LINKS)
        register_role(WRITE, edits_any_federation)
