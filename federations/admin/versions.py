"""The versions of a server or an agent: the list on its page, and the page that compares two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from core.admin.labels import format_age, format_time
from core.admin.row_pages import RowPagesMixin
from federations.admin.diff_view import view_of
from federations.admin.visible_text import visible
from federations.models import DiscoveredResource, ResourceVersion
from federations.services.stored_plans.contents import VERSIONS_KEPT, version_content
from federations.services.stored_plans.described import diff_to_json
from federations.sync.diff import diff_contents


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in the list. `is_old` and `is_new` tell which two versions are picked at first."""

    id: str
    runtime_version: str
    time: str
    age: str
    is_old: bool
    is_new: bool


class VersionsMixin(RowPagesMixin, ModelAdmin):
    """Adds the versions to the pages of a kind of resource."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.compare_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_compare"
        return [path("<str:object_id>/compare/", view, name=name), *super().get_urls()]

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the page that compares the versions `old` and `new` of the address."""
        resource = self.row_or_404(request, object_id)
        picked = {side: _version(resource, request.GET.get(side, "")) for side in ("old", "new")}
        context: dict[str, Any] = {"resource": resource, "versions": version_rows(resource, picked)}
        if (old := picked["old"]) and (new := picked["new"]):
            found = diff_contents(resource.kind, version_content(old), version_content(new))
            context |= {"diff": view_of(diff_to_json(found)), "change_class": found.change_class}
            context |= {side: _described(version) for side, version in (("old", old), ("new", new))}
        context["compare_url"] = request.path
        title = f"Versions of {resource.name}"
        return self.extra_page(request, "federations/compare.html", title, context)


def version_rows(
    resource: DiscoveredResource, picked: dict[str, ResourceVersion | None] | None = None
) -> list[VersionRow]:
    """Return the stored versions of a resource, the newest first; without a pick, the newest two are picked."""
    rows = list(_versions(resource).values_list("id", "runtime_version", "stored_at")[:VERSIONS_KEPT])
    ids = [row[0] for row in rows]
    old, new = (version.id if version else "" for version in ((picked or {}).get("old"), (picked or {}).get("new")))
    if not (old and new) and len(ids) > 1:
        new, old = ids[:2]
    return [
        VersionRow(key, version, format_time(moment), format_age(moment), is_old=key == old, is_new=key == new)
        for key, version, moment in rows
    ]


def _versions(resource: DiscoveredResource) -> QuerySet[ResourceVersion]:
    return ResourceVersion.objects.filter(resource_id=resource.pk)


def _version(resource: DiscoveredResource, version_id: str) -> ResourceVersion | None:
    return _versions(resource).filter(id=version_id).first() if version_id else None


def _described(version: ResourceVersion) -> SafeString:
    return format_html("version {} of {}", visible(version.runtime_version), format_time(version.stored_at))
