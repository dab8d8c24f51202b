"""The peers app: hubs of other organizations, and the work that hubs send each other."""

from __future__ import annotations

from django.apps import AppConfig


class PeersConfig(AppConfig):
    """Registers checks, the form of error bodies, the links of answers' pages, and what pages of agents show."""

    name = "peers"
    verbose_name = "Between hubs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from core.api.browsable.links import register_links
        from core.api.endpoint_families import EndpointFamily, register_family
        from federations.admin.agent_extensions import register_agent_extension
        from federations.services.agent_readers import register_readers
        from peers import checks  # noqa: F401 (registers them)
        from peers.admin.visibility_extension import EXTENSION
        from peers.api.errors import PROTOCOL_PATHS, error_body
        from peers.api.links import LINKS
        from peers.services.catalog.agents import count_shown_to_peers

        register_links(LINKS)
        register_family(EndpointFamily(PROTOCOL_PATHS, error_body, is_audited=False))
        register_agent_extension(EXTENSION)
        register_readers(count_shown_to_peers)
