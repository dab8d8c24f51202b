"""The admin pages of federations: the list, and the registration of the row's pages and of the form."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from core.admin.labels import format_age
from core.admin.linked_filters import OldestFirstMixin
from core.admin.list_page import ListPageMixin
from federations.admin.actions import FederationActionsMixin
from federations.admin.federation_form import FederationFormMixin
from federations.admin.federation_page import FederationPageMixin
from federations.admin.filters import FederationTagFilter, HeldSyncFilter
from federations.admin.form_checks import FormChecksMixin
from federations.admin.labels import STATUS_COLORS, sync_label
from federations.admin.linked_filters import CauseFilter, FailingFilter
from federations.admin.list_pages import FEDERATION_EXPORT, FEDERATION_TABS
from federations.admin.permissions import GrantedPermissionsMixin
from federations.admin.schedule_cells import ScheduleFilter, schedule_cell
from federations.admin.share import ShareMixin
from federations.models import Federation, ProviderType
from federations.services.access import federations_visible_to

SHORT_PROVIDERS = {
    ProviderType.AWS_AGENTCORE: "AWS AgentCore",
    ProviderType.AZURE_AI_FOUNDRY: "Azure AI Foundry",
    ProviderType.MCP_REGISTRY: "MCP registry",
}


@admin.register(Federation)
class FederationAdmin(
    OldestFirstMixin,
    FederationPageMixin,
    ShareMixin,
    FormChecksMixin,
    FederationFormMixin,
    FederationActionsMixin,
    GrantedPermissionsMixin,
    ListPageMixin,
):
    """The list of federations, and the pages of one federation: its tabs, its form and its actions."""

    list_display = [
        "name",
        "provider",
        "status_label",
        "sync_label",
        "servers",
        "agents",
        "tools",
        "last_sync_ago",
        "schedule",
    ]
    list_filter = [
        ("provider_type", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("sync_status", ChoicesDropdownFilter),
        HeldSyncFilter,
        ScheduleFilter,
        FederationTagFilter,
        FailingFilter,
        CauseFilter,
    ]
    list_filter_submit = True
    oldest_first = {("failing", ""): "failing_since", ("cause", ""): "failing_since"}
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    tabs = FEDERATION_TABS
    date_field, date_title = "last_sync__created_at", "Last sync"
    export_fields = FEDERATION_EXPORT
    search_fields = ["display_name", "description", "id__exact"]
    search_help_text = "Name or description"
    empty_hint = (
        "A federation is an AWS Bedrock AgentCore account and region that the hub discovers, or an MCP registry that "
        "it reads. Add a federation and sync it to see its MCP servers and A2A agents."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Federation]:
        return federations_visible_to(request.user).with_details()  # type: ignore[attr-defined, no-any-return]

    @display(description="Name", ordering="display_name", header=True)
    def name(self, federation: Federation) -> list[str]:
        return [federation.display_name, ", ".join(federation.tags)]

    @display(description="Provider and place", ordering="provider_type", header=True)
    def provider(self, federation: Federation) -> list[str]:
        config = federation.provider_config
        place = config.get("url") or config.get("region") or "no region"
        return [SHORT_PROVIDERS[ProviderType(federation.provider_type)], str(place)]

    @display(description="Status", ordering="status", label=STATUS_COLORS)
    def status_label(self, federation: Federation) -> str:
        return federation.get_status_display()

    @display(description="Last sync", ordering="sync_status")
    def sync_label(self, federation: Federation) -> SafeString:
        return sync_label(federation)

    @display(description="Servers", ordering="mcp_server_count")
    def servers(self, federation: Federation) -> str:
        return f"{federation.mcp_server_count:,}"

    @display(description="Agents", ordering="agent_count")
    def agents(self, federation: Federation) -> str:
        return f"{federation.agent_count:,}"

    @display(description="Tools", ordering="tool_count")
    def tools(self, federation: Federation) -> str:
        return f"{federation.tool_count:,}"

    @display(description="When", ordering="last_sync__created_at")
    def last_sync_ago(self, federation: Federation) -> str:
        job = federation.last_sync
        return format_age(job.finished_at or job.started_at or job.created_at) if job else "-"

    @display(description="Schedule", ordering="next_sync_at", header=True)
    def schedule(self, federation: Federation) -> list[str]:
        return schedule_cell(federation)
