"""The peers app: hubs of other organizations, and the work that hubs send each other."""

from __future__ import annotations

from django.apps import AppConfig


class PeersConfig(AppConfig):
    """Registers checks, error bodies, links of answers' pages, what pages of agents show, and the reports of runs."""

    name = "peers"
    verbose_name = "Between hubs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from core.api.browsable.links import register_links
        from core.api.endpoint_families import EndpointFamily, register_family
        from core.notifications.events import register_kind
        from federations.admin.agent_extensions import register_agent_extension
        from federations.services.agent_readers import register_readers
        from federations.services.runs.listeners import register_gate, register_listener
        from peers import checks  # noqa: F401 (registers them)
        from peers.admin.visibility_extension import EXTENSION
        from peers.api.errors import PROTOCOL_PATHS, error_body
        from peers.api.links import LINKS
        from peers.api.views_ard import ARD_PATHS, ard_error_body
        from peers.services import activity
        from peers.services.agent_work.begin import why_not_started
        from peers.services.agent_work.report import report_events
        from peers.services.catalog.agents import count_shown_to_peers
        from peers.services.trust.notices import KINDS

        for kind in KINDS:
            register_kind(kind)
        activity.register()
        register_links(LINKS)
        register_family(EndpointFamily(PROTOCOL_PATHS, error_body))
        register_family(EndpointFamily(ARD_PATHS, ard_error_body))
        register_agent_extension(EXTENSION)
        register_readers(count_shown_to_peers)
        register_listener(report_events)
        register_gate(why_not_started)
