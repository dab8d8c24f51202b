"""The admin pages of discovered MCP servers."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.safestring import SafeString
from unfold.decorators import display

from core.admin.read_only import is_list_page
from federations.admin.catalog_page import Section, listed
from federations.admin.catalog_view import prompt_entry, resource_entry, resource_template_entry, tool_entry
from federations.admin.filters import ServerTagFilter
from federations.admin.list_pages import SERVER_EXPORT, SERVER_TABS
from federations.admin.resources import RESOURCE_FILTERS, DiscoveredResourceAdmin
from federations.admin.server_visibility import (
    CHOICES,
    Choice,
    PublicFilter,
    actions_for,
    confirm,
    section,
    visibility_label,
)
from federations.models import McpServer
from federations.search.base import DocumentKind
from federations.services.access import servers_visible_to

LARGE_COLUMNS = ("tools", "resources", "resource_templates", "prompts")


@admin.register(McpServer)
class McpServerAdmin(DiscoveredResourceAdmin):
    """The MCP servers, each with its tools, resources and prompts."""

    list_display = ["name", "federation", "status_label", "access", "version", "tool_count", "visibility", "updated"]
    list_filter = [*RESOURCE_FILTERS, PublicFilter, ServerTagFilter]
    search_fields = ["server_name", "title", "path", "description", "runtime_id", "id__exact"]
    document_kinds = (DocumentKind.SERVER, DocumentKind.TOOL, DocumentKind.RESOURCE, DocumentKind.PROMPT)
    tabs, export_fields = SERVER_TABS, SERVER_EXPORT
    empty_hint = "A sync of a federation adds MCP servers here. Open a federation and press Sync now."

    def get_queryset(self, request: HttpRequest) -> QuerySet[McpServer]:
        servers = servers_visible_to(request.user).prefetch_related("federation", "tag_rows")
        return servers.defer(*LARGE_COLUMNS) if is_list_page(request) else servers

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return actions_for(request)

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"<str:object_id>/{choice.page}/",
                self.admin_site.admin_view(partial(self.choose, choice=choice)),
                name=f"federations_mcpserver_{choice.page}",
            )
            for choice in CHOICES
        ]
        return [*own, *super().get_urls()]

    def choose(self, request: HttpRequest, object_id: str, choice: Choice) -> HttpResponse:
        """Return the page that asks before one server changes its visibility."""
        server = self.row_or_404(request, object_id)
        return confirm(request, servers_visible_to(request.user).filter(pk=server.pk), choice, self.row_url(object_id))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context["sections"] = [section(request, obj)]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def catalog_of(self, resource: Any) -> list[Section]:
        return [
            Section("Tools", "tools", listed(resource.tools), tool_entry),
            Section("Resources", "resources", listed(resource.resources), resource_entry),
            Section("Resource templates", "templates", listed(resource.resource_templates), resource_template_entry),
            Section("Prompts", "prompts", listed(resource.prompts), prompt_entry),
        ]

    @display(description="Visibility", ordering="is_public")
    def visibility(self, server: McpServer) -> SafeString:
        return visibility_label(server)

    @display(description="Tools", ordering="num_tools")
    def tool_count(self, server: McpServer) -> str:
        return f"{server.num_tools:,}"

    @display(description="Name", ordering="server_name", header=True)
    def name(self, server: McpServer) -> list[str]:
        return [server.server_name, ", ".join(server.tags)]
