"""What the pages of servers and agents share: they show what was discovered, and change nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from federations.admin.filters import FederationFilter
from federations.admin.labels import ACCESS_COLOURS, ago, label, runtime_colour
from federations.admin.offers import Offer, as_json
from federations.admin.permissions import SeenThroughFederationsMixin
from federations.admin.read_only import ReadOnlyAdmin
from federations.models import DiscoveredResource


class DiscoveredResourceAdmin(SeenThroughFederationsMixin, ReadOnlyAdmin):
    """The base of both kinds."""

    list_fullwidth = True
    list_per_page = 50
    list_select_related = ["federation"]
    search_help_text = "Name, path, description or runtime id"
    change_form_outer_before_template = "federations/resource.html"
    fieldsets = [
        ("Runtime", {"fields": ["federation", "runtime_id", "runtime_arn", "runtime_version", "region", "account_id"]}),
        ("Access", {"fields": ["url", "runtime_access_json", "protocol_json", "authorizer_json"]}),
        ("Record", {"fields": ["id", "enriched_at", "created_at", "updated_at"]}),
    ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        context.update(resource=obj, status_label=self.status_label_of(obj), offers=self.offers_of(obj))
        context.update(access_label=label(obj.access_mode.upper(), ACCESS_COLOURS))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def offers_of(self, resource: Any) -> list[tuple[str, list[Offer]]]:
        """Return what it offers, by heading."""
        raise NotImplementedError

    def status_label_of(self, resource: DiscoveredResource) -> SafeString:
        """Return AgentCore's status as a coloured label."""
        return label(resource.status or "unknown", {resource.status: runtime_colour(resource.status)})

    @display(description="Status", ordering="status")
    def status_label(self, resource: DiscoveredResource) -> SafeString:
        return self.status_label_of(resource)

    @display(description="Access", ordering="access_mode", label=ACCESS_COLOURS)
    def access(self, resource: DiscoveredResource) -> str:
        return resource.access_mode.upper()

    @display(description="Version", ordering="runtime_version")
    def version(self, resource: DiscoveredResource) -> str:
        return resource.runtime_version

    @display(description="Updated", ordering="updated_at")
    def updated(self, resource: DiscoveredResource) -> str:
        return ago(resource.updated_at)

    @display(description="Runtime access")
    def runtime_access_json(self, resource: DiscoveredResource) -> SafeString:
        return _code(resource.runtime_access)

    @display(description="Protocol configuration")
    def protocol_json(self, resource: DiscoveredResource) -> SafeString:
        return _code(resource.protocol_configuration)

    @display(description="Authorizer configuration")
    def authorizer_json(self, resource: DiscoveredResource) -> SafeString:
        return _code(resource.authorizer_configuration)


RESOURCE_FILTERS: list[Any] = [
    ("federation", FederationFilter),
    ("access_mode", AllValuesCheckboxFilter),
    ("status", AllValuesCheckboxFilter),
]


def _code(value: Any) -> SafeString:
    return format_html('<pre class="fedhub-code">{}</pre>', as_json(value)) if value else mark_safe("-")
