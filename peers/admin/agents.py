"""Agents that peers may see: agents that federations discover, and agents that staff register by hand."""

from __future__ import annotations

from functools import partial
from textwrap import shorten
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.cells import time_since
from core.admin.labels import label, sentence
from core.admin.list_page import ListPageMixin
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refused_forms import RefusalOnFormMixin
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from federations.admin.filters import FederationFilter
from federations.services.access import agents_visible_to
from peers.admin.agent_forms import VISIBILITY_HELP, RegisteredAgentForm
from peers.admin.list_pages import REGISTERED_EXPORT, REGISTERED_TABS, VISIBILITY_EXPORT, VISIBILITY_TABS
from peers.admin.seen_as import seen_as
from peers.admin.visibility_extension import (
    VISIBILITY_COLORS,
    VisibilityFilter,
    actions_for,
    may_view,
    with_visibility,
)
from peers.admin.visibility_pages import confirm_choice, confirm_undo, confirm_wider_form, single_agent
from peers.admin.work_setting_page import asks_actions, asks_column, confirm_asks
from peers.models import DiscoveredAgent, RegisteredAgent, Visibility
from peers.services.catalog.agents import agent_id_of, register_agent

MAX_SKILLS = 10


@admin.register(DiscoveredAgent)
class DiscoveredAgentAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of agents that federations discover, with their visibility and the pages that change it."""

    list_display = ["agent", "agent_id", "federation", "visibility_label", "chosen_by", "peers_work"]
    row_noun = "agent"
    list_display_links = None
    tabs, export_fields = VISIBILITY_TABS, VISIBILITY_EXPORT
    list_filter = [VisibilityFilter, ("federation", FederationFilter)]
    list_per_page = 50
    search_fields = ["name", "card_name", "organization", "path", "description"]
    search_help_text = "Name, organization, path or description"
    ordering = ["name", "pk"]
    empty_hint = "Agents appear here after a federation is synced. Then choose which agents peers may see."
    empty_link = ("Go to the federations", "admin:federations_federation_changelist")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = agents_visible_to(request.user).values("pk")
        agents = DiscoveredAgent.objects.filter(pk__in=seen).prefetch_related("federation").defer("card")
        listed: QuerySet[Any] = with_visibility(agents.order_by("name", "pk")).annotate(asks=asks_column())
        return listed

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_view(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        visibilities = {name: (action, name, text) for name, (action, text) in actions_for(request).items()}
        return visibilities | asks_actions(request)

    def get_urls(self) -> list[Any]:
        def page(name: str, route: str, view: Any) -> Any:
            url_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
            return path(route, self.admin_site.admin_view(view), name=url_name)

        return [
            page("undo", "undo/<str:change_id>/", confirm_undo),
            page("seen_as", "<str:object_id>/seen-as/", self.seen_as_view),
            page("asks", "<str:object_id>/ask-before-work/", confirm_asks),
            *(
                page(f"make_{value}", f"<str:object_id>/make-{value}/", partial(self.make_view, visibility=value))
                for value in Visibility
            ),
            *super().get_urls(),
        ]

    def make_view(self, request: HttpRequest, object_id: str, visibility: Visibility) -> HttpResponse:
        """Return the page that asks before one agent gets `visibility`."""
        back_url = reverse("admin:federations_a2aagent_change", args=[object_id])
        return confirm_choice(request, single_agent(request, object_id), visibility, back_url)

    def seen_as_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the page that shows one agent as another hub sees it."""
        if not may_view(request):
            raise PermissionDenied
        return seen_as(request, single_agent(request, object_id).get())

    @display(description="Agent", ordering="name")
    def agent(self, agent: Any) -> SafeString:
        link = reverse("admin:federations_a2aagent_change", args=[agent.pk])
        return format_html('<a class="text-link" href="{}">{}</a><p>{}</p>', link, agent.name, agent.path)

    @display(description="Id that peers use")
    def agent_id(self, agent: Any) -> str:
        return agent_id_of(agent.path)

    @display(description="Visibility", ordering="visible_to")
    def visibility_label(self, agent: Any) -> SafeString:
        help_text = sentence(VISIBILITY_HELP[agent.visible_to])
        return format_html("{}<p>{}</p>", label(str(agent.visible_to), VISIBILITY_COLORS), help_text)

    @display(description="Chosen by")
    def chosen_by(self, agent: Any) -> str:
        return (agent.chooser or "staff") if agent.chosen else "the hub's default"

    @display(description="Work of peers", ordering="asks")
    def peers_work(self, agent: Any) -> str:
        return "waits for approval" if agent.asks else "begins at once"


@admin.register(RegisteredAgent)
class RegisteredAgentAdmin(RefusalOnFormMixin, UnitOfWorkMixin, RowPagesMixin, ListPageMixin):
    """The admin page of agents that staff register by hand."""

    form = RegisteredAgentForm
    tabs, export_fields = REGISTERED_TABS, REGISTERED_EXPORT
    date_field, date_title = "created_at", "Registered"
    list_display = ["agent_id", "about", "skills", "place", "visibility_label", "made"]
    list_fullwidth = True
    list_filter = [("visibility", ChoicesDropdownFilter)]
    show_facets = admin.ShowFacets.NEVER
    list_filter_submit = True
    search_fields = ["agent_id", "name", "description", "server_url"]
    search_help_text = "Agent id, name, description or server URL"
    actions = None
    fields = ["agent_id", "name", "description", "capabilities", "server_url", "visibility"]
    empty_hint = "Register an agent here if no federation discovers it and peers should see it."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["agent_id"] if obj else []

    def heading_of(self, row: RegisteredAgent) -> str:
        return row.name or row.agent_id

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Ask before a save lets more callers see the agent."""
        obj = self.get_object(request, object_id) if object_id else None
        may_save = self.has_change_permission(request, obj) if object_id else self.has_add_permission(request)
        if request.method == "POST" and may_save:
            form = self.get_form(request, obj, change=bool(obj))(request.POST, instance=obj)
            if form.is_valid() and (page := confirm_wider_form(request, form, obj and form.initial["visibility"])):
                return page
        return super().changeform_view(request, object_id, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: RegisteredAgent, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        register_agent(
            obj.agent_id,
            capabilities=typed["capabilities"],
            visibility=typed["visibility"],
            server_url=typed["server_url"],
            name=typed["name"],
            description=typed["description"],
        )
        obj.pk = RegisteredAgent.objects.get(agent_id=obj.agent_id).pk
        obj._state.adding = False

    @display(description="Server", ordering="server_url")
    def place(self, agent: RegisteredAgent) -> str:
        return agent.server_url or "this hub"

    @display(description="Name", ordering="name")
    def about(self, agent: RegisteredAgent) -> SafeString | str:
        if not (agent.name or agent.description):
            return "-"
        return format_html("{}<p>{}</p>", agent.name or "-", shorten(agent.description, 140, placeholder=" …"))

    @display(description="Skills")
    def skills(self, agent: RegisteredAgent) -> SafeString | str:
        names = [(str(name),) for name in agent.capabilities[:MAX_SKILLS]]
        more = len(agent.capabilities) - len(names)
        shown = format_html_join("", '<span class="fedhub-tag">{}</span>', names)
        rest = f" and {more} more" if more else ""
        return format_html('<span class="fedhub-labels">{}{}</span>', shown, rest) if names else "-"

    @display(description="Visibility", ordering="visibility", label=VISIBILITY_COLORS)
    def visibility_label(self, agent: RegisteredAgent) -> str:
        return agent.visibility

    @display(description="Registered", ordering="created_at")
    def made(self, agent: RegisteredAgent) -> str:
        return time_since(agent.created_at)
