"""Agents that peers may see: agents that federations discover, and agents that staff register by hand."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from core.actors import actor_of
from core.admin.cells import time_since
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refused_forms import RefusalOnFormMixin
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from federations.admin.filters import FederationFilter
from federations.services.access import agents_visible_to
from peers.admin.agent_forms import VISIBILITY_HELP, RegisteredAgentForm
from peers.admin.labels import plural
from peers.models import AgentVisibilityChoice, DiscoveredAgent, RegisteredAgent, Visibility
from peers.services.catalog.agents import agent_id_of, register_agent, set_visibility

VISIBILITY_COLORS = {"public": "success", "unlisted": "info", "private": "default"}


class VisibilityFilter(DropdownFilter):
    """Keeps the agents of one visibility."""

    title = "visibility"
    parameter_name = "visibility"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, f"{value}: {VISIBILITY_HELP[value]}") for value in Visibility.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(visible_to=self.value()) if self.value() else queryset


@admin.register(DiscoveredAgent)
class DiscoveredAgentAdmin(ReadOnlyAdmin):
    """The admin page of agents that federations discover; an action sets the visibility of the ticked agents."""

    list_display = ["agent", "agent_id", "federation", "visibility_label", "chosen_by"]
    list_display_links = None
    list_filter = [VisibilityFilter, ("federation", FederationFilter)]
    list_per_page = 50
    search_fields = ["name", "card_name", "organization", "path", "description"]
    search_help_text = "Name, organization, path or description"
    ordering = ["name", "pk"]
    actions = ["make_public", "make_unlisted", "make_private"]
    empty_hint = "Agents appear here after a federation is synced. Then choose which agents peers may see."
    empty_link = ("Go to the federations", "admin:federations_federation_changelist")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        choice = AgentVisibilityChoice.objects.filter(
            federation_id=Coalesce(OuterRef("federation_id"), Value("")), path=OuterRef("path")
        )
        seen = agents_visible_to(request.user).values("pk")
        agents = DiscoveredAgent.objects.filter(pk__in=seen).prefetch_related("federation").defer("card")
        return agents.order_by("name", "pk").annotate(
            chosen=Subquery(choice.values("visibility")[:1]),
            chooser=Subquery(choice.values("changed_by_name")[:1]),
            visible_to=Coalesce(F("chosen"), Value(settings.FEDHUB_VISIBILITY_DEFAULT)),
        )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("peers.view_agentvisibilitychoice")) or self.has_choose_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_choose_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may set the visibility of agents."""
        return bool(request.user.has_perm("peers.change_agentvisibilitychoice"))

    @admin.action(description="Make public: everyone sees them", permissions=["choose"])
    def make_public(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._choose(request, queryset, Visibility.PUBLIC)

    @admin.action(description="Make unlisted: approved peers see them", permissions=["choose"])
    def make_unlisted(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._choose(request, queryset, Visibility.UNLISTED)

    @admin.action(description="Make private: other hubs do not see them", permissions=["choose"])
    def make_private(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._choose(request, queryset, Visibility.PRIVATE)

    def _choose(self, request: HttpRequest, queryset: QuerySet[Any], visibility: Visibility) -> None:
        count = 0
        for agent in queryset:
            set_visibility(agent.federation_id or "", agent.path, visibility.value, actor_of(request.user))
            count += 1
        seen = VISIBILITY_HELP[visibility.value]
        messages.success(request, f"{plural(count, 'agent')} {visibility.value} from now on: {seen}.")

    @display(description="Agent", header=True, ordering="name")
    def agent(self, agent: Any) -> list[str]:
        return [agent.name, agent.path]

    @display(description="Id that peers use")
    def agent_id(self, agent: Any) -> str:
        return agent_id_of(agent.path)

    @display(description="Visibility", ordering="visible_to", label=VISIBILITY_COLORS)
    def visibility_label(self, agent: Any) -> str:
        return str(agent.visible_to)

    @display(description="Chosen by")
    def chosen_by(self, agent: Any) -> str:
        return (agent.chooser or "staff") if agent.chosen else "the hub's default"


@admin.register(RegisteredAgent)
class RegisteredAgentAdmin(RefusalOnFormMixin, UnitOfWorkMixin, RowPagesMixin):
    """The admin page of agents that staff register by hand."""

    form = RegisteredAgentForm
    list_display = ["agent_id", "place", "capabilities_text", "visibility_label", "made"]
    list_filter = [("visibility", ChoicesDropdownFilter)]
    show_facets = admin.ShowFacets.NEVER
    list_filter_submit = True
    search_fields = ["agent_id", "server_url"]
    search_help_text = "Agent id or server URL"
    actions = None
    fields = ["agent_id", "server_url", "capabilities", "visibility"]
    empty_hint = "Register an agent here if no federation discovers it and peers should see it."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["agent_id"] if obj else []

    def save_model(self, request: HttpRequest, obj: RegisteredAgent, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        register_agent(
            obj.agent_id,
            capabilities=typed["capabilities"],
            visibility=typed["visibility"],
            server_url=typed["server_url"],
        )
        obj.pk = RegisteredAgent.objects.get(agent_id=obj.agent_id).pk
        obj._state.adding = False

    @display(description="Server", ordering="server_url")
    def place(self, agent: RegisteredAgent) -> str:
        return agent.server_url or "this hub"

    @display(description="Capabilities")
    def capabilities_text(self, agent: RegisteredAgent) -> str:
        return ", ".join(map(str, agent.capabilities)) or "-"

    @display(description="Visibility", ordering="visibility", label=VISIBILITY_COLORS)
    def visibility_label(self, agent: RegisteredAgent) -> str:
        return agent.visibility

    @display(description="Registered", ordering="created_at")
    def made(self, agent: RegisteredAgent) -> str:
        return time_since(agent.created_at)
