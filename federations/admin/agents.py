"""The admin pages of discovered A2A agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.labels import label
from core.admin.read_only import is_list_page
from federations.admin.agent_extensions import column_of, extensions_for, read_cells
from federations.admin.catalog_page import Section, listed
from federations.admin.catalog_view import skill_entry
from federations.admin.filters import AgentTagFilter
from federations.admin.labels import SIGNATURE_COLORS
from federations.admin.list_pages import AGENT_EXPORT, AGENT_TABS
from federations.admin.resources import RESOURCE_FILTERS, DiscoveredResourceAdmin
from federations.admin.try_agent import TryAgentMixin, newest_runs
from federations.models import A2aAgent
from federations.search.base import DocumentKind
from federations.services.access import agents_visible_to
from federations.sync.resources import Json


@admin.register(A2aAgent)
class A2aAgentAdmin(TryAgentMixin, DiscoveredResourceAdmin):
    """The A2A agents, each with its skills, its card and its newest runs."""

    list_display = ["agent", "federation", "status_label", "access", "version", "signature", "skill_count", "updated"]
    list_filter = [*RESOURCE_FILTERS, ("signature_state", ChoicesDropdownFilter), AgentTagFilter]
    search_fields = ["name", "card_name", "organization", "path", "description", "runtime_id", "id__exact"]
    document_kinds = (DocumentKind.AGENT, DocumentKind.SKILL)
    tabs, export_fields = AGENT_TABS, AGENT_EXPORT
    empty_hint = "A sync of a federation adds A2A agents here. Open a federation and press Sync now."

    def get_queryset(self, request: HttpRequest) -> QuerySet[A2aAgent]:
        agents = agents_visible_to(request.user).prefetch_related("federation", "tag_rows")
        return agents.defer("card", "skills") if is_list_page(request) else agents

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, *map(column_of, extensions_for(request))]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*self.list_filter, *(extension.list_filter for extension in extensions_for(request))]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: (action, name, text)
            for extension in extensions_for(request)
            for name, (action, text) in extension.actions(request).items()
        }

    def read_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        super().read_page(request, rows)
        read_cells(request, rows)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context["agent_runs"] = newest_runs(request, obj)
        context["sections"] = [extension.section(request, obj) for extension in extensions_for(request)]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def catalog_of(self, resource: Any) -> list[Section]:
        return [Section("Skills", "skills", listed(resource.skills), skill_entry)]

    def documents_of(self, resource: Any) -> dict[str, tuple[str, Json]]:
        return {
            "card": ("Agent card as the hub hands it on: its addresses are the invocation URL", resource.shown_card),
            "raw-card": ("Agent card as the agent served it", resource.card),
        }

    @display(description="Name", ordering="name", header=True)
    def agent(self, agent: A2aAgent) -> list[str]:
        return [agent.name, ", ".join(agent.tags)]

    @display(description="Signature", ordering="signature_state")
    def signature(self, agent: A2aAgent) -> SafeString:
        state = label(agent.get_signature_state_display() or "not checked", SIGNATURE_COLORS)
        return format_html("{}<p>{}</p>", state, agent.signature_key_name) if agent.signature_key_name else state

    @display(description="Skills", ordering="num_skills")
    def skill_count(self, agent: A2aAgent) -> str:
        return f"{agent.num_skills:,}"
