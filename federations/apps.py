"""The app `federations`: the registry."""

from __future__ import annotations

from django.apps import AppConfig


class FederationsConfig(AppConfig):
    """Registers the grants on federations as roles that give a scope, the links of answers, and events to notify of."""

    name = "federations"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let a person who may change one federation use the scope of writing."""
        from core.api.browsable.links import register_links
        from core.api.endpoint_families import EndpointFamily, register_family
        from core.api.scopes import WRITE, register_role
        from core.notifications.events import register_kind
        from core.store.substrings import register_index
        from federations import checks  # noqa: F401 (registers the system checks)
        from federations.api.links import LINKS
        from federations.api.registry_errors import REGISTRY_PATHS, error_body
        from federations.models import A2aAgent, McpServer
        from federations.services import activity
        from federations.services.access import edits_any_federation
        from federations.services.notices import KINDS, note_waiting_run
        from federations.services.runs.listeners import register_listener

        # The columns in which lists search for a text.
        shared = ("path", "description", "runtime_id")
        register_index(McpServer, "server_name", "title", *shared)
        register_index(A2aAgent, "name", "card_name", "organization", *shared)
        for kind in KINDS:
            register_kind(kind)
        activity.register()
        register_listener(note_waiting_run)
        register_links(LINKS)
        register_family(EndpointFamily(REGISTRY_PATHS, error_body))
        register_role(WRITE, edits_any_federation)
