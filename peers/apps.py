"""The peers app: hubs of other organizations, and the work that hubs send each other."""

from __future__ import annotations

from django.apps import AppConfig


class PeersConfig(AppConfig):
    """Registers the app's system checks, the form of its error bodies, and the links of its answers' pages."""

    name = "peers"
    verbose_name = "Between hubs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from core.api.browsable.links import register_links
        from core.api.endpoint_families import EndpointFamily, register_family
        from peers import checks  # noqa: F401 (registers them)
        from peers.api.errors import PROTOCOL_PATHS, error_body
        from peers.api.links import LINKS

        register_links(LINKS)
        register_family(EndpointFamily(PROTOCOL_PATHS, error_body, is_audited=False))
