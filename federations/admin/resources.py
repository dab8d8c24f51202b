"""The common base of the read-only admin pages of MCP servers and of A2A agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from core.admin.labels import format_age, label
from core.admin.read_only import ReadOnlyAdmin
from federations.admin.aws_facts import describe_authorizer, describe_protocol, joined
from federations.admin.catalog_view import CatalogEntry, as_json
from federations.admin.filters import FederationFilter, ShownStatusFilter
from federations.admin.labels import ACCESS_COLORS, runtime_color
from federations.admin.permissions import VisibleByFederationMixin
from federations.admin.versions import VersionsMixin, version_rows
from federations.admin.warning_block import warnings_of_runtime
from federations.models import DiscoveredResource
from federations.services.inventory import observation_of
from federations.sync.resources import Json

RESOURCE_SECTIONS: list[Any] = [
    ("Runtime", {"fields": ["runtime_id", "runtime_arn", "runtime_version", "region", "account_id"]}),
    ("Access", {"fields": ["url", "runtime_access_json", "protocol_json", "authorizer_json"]}),
    ("Record", {"fields": ["id", "enriched_at", "created_at", "updated_at"]}),
]


class DiscoveredResourceAdmin(VersionsMixin, VisibleByFederationMixin, ReadOnlyAdmin):
    """The base of McpServerAdmin and A2aAgentAdmin: read-only pages with the runtime, the access and the catalog."""

    list_fullwidth = True
    list_per_page = 50
    # A separate query reads the federations of a page: MongoDB would join every row before it sorts and limits.
    list_select_related: list[str] = []
    search_help_text = "Name, path, description or runtime id"
    change_form_outer_before_template = "federations/resource.html"
    fieldsets = RESOURCE_SECTIONS

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(resource=obj, status_label=self.status_label_of(obj), catalog=self.catalog_of(obj))
        context["versions"] = version_rows(obj)
        context["compare_url"] = reverse(f"admin:federations_{obj._meta.model_name}_compare", args=[obj.pk])
        context.update(access_label=label(obj.access_mode.upper(), ACCESS_COLORS))
        if runtime := observation_of(obj):
            context.update(runtime=runtime, **warnings_of_runtime(runtime))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def catalog_of(self, resource: Any) -> list[tuple[str, list[CatalogEntry]]]:
        """Return the sections of the catalog (such as tools): the heading and the entries of each section."""
        raise NotImplementedError

    def status_label_of(self, resource: DiscoveredResource) -> SafeString:
        """Return the AgentCore status as a colored label."""
        status = resource.shown_status
        return label(status or "unknown", {status: runtime_color(status)})

    @display(description="Status", ordering="status")
    def status_label(self, resource: DiscoveredResource) -> SafeString:
        return self.status_label_of(resource)

    @display(description="Access", ordering="access_mode", label=ACCESS_COLORS)
    def access(self, resource: DiscoveredResource) -> str:
        return resource.access_mode.upper()

    @display(description="Version", ordering="runtime_version")
    def version(self, resource: DiscoveredResource) -> str:
        return resource.runtime_version

    @display(description="Updated", ordering="updated_at")
    def updated(self, resource: DiscoveredResource) -> str:
        return format_age(resource.updated_at)

    @display(description="Runtime access")
    def runtime_access_json(self, resource: DiscoveredResource) -> SafeString:
        return _folded(describe_access(resource.runtime_access), resource.runtime_access)

    @display(description="Protocol configuration")
    def protocol_json(self, resource: DiscoveredResource) -> SafeString:
        return _folded(describe_protocol(resource.protocol_configuration), resource.protocol_configuration)

    @display(description="Authorizer configuration")
    def authorizer_json(self, resource: DiscoveredResource) -> SafeString:
        return _folded(describe_authorizer(resource.authorizer_configuration), resource.authorizer_configuration)


RESOURCE_FILTERS: list[Any] = [
    ("federation", FederationFilter),
    ("access_mode", AllValuesCheckboxFilter),
    ("status", ShownStatusFilter),
]


def describe_access(access: Mapping[str, Json]) -> list[str]:
    """Return sentences that explain `config.runtimeAccess`: how a caller authenticates to the runtime."""
    jwt = access.get("jwt")
    if not isinstance(jwt, dict):
        return ["IAM: the hub signs each call with the credentials of the federation's role."]
    wordings = (
        ("discoveryUrl", "OIDC discovery URL of the trusted issuer"),
        ("audiences", "Audience"),
        ("allowedClients", "Clients"),
        ("allowedScopes", "Scopes"),
    )
    lines = [f"{wording}: {joined(jwt[key])}" for key, wording in wordings if jwt.get(key)]
    return ["JWT: each call carries a token that the hub signs for this runtime.", *lines]


def _folded(lines: list[str], value: Json) -> SafeString:
    """Return the lines and, below them, `value` as JSON that staff can open."""
    words = format_html_join("", '<p class="break-words">{}</p>', ((line,) for line in lines))
    if not value:
        return words
    return format_html(
        '{}<details class="mt-1"><summary class="cursor-pointer text-link">JSON</summary>'
        '<pre class="fedhub-code mt-2">{}</pre></details>',
        words,
        as_json(value),
    )
