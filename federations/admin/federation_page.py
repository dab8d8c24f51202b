"""The page of one federation: a read view with tabs, each with an address and with queries of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from core.admin.labels import label
from federations.admin.actions import FederationActionsMixin
from federations.admin.federation_tabs import TABS, Tab, has_forgotten_runtimes
from federations.admin.labels import STATUS_COLORS
from federations.models import Federation
from federations.services.access import runtimes_visible_to

PREFIX = "federations_federation"


class FederationPageMixin(FederationActionsMixin):
    """The read view of a federation. Its first tab has the address that all links to a federation have."""

    def get_urls(self) -> list[URLPattern]:
        tabs = [
            path(
                f"<path:object_id>/{tab.name}/",
                self.admin_site.admin_view(partial(self._tab, tab=tab)),
                name=f"{PREFIX}_{tab.name}",
            )
            for tab in TABS[1:]
        ]
        return tabs + list(super().get_urls())

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._tab(request, object_id, tab=TABS[0])

    def _tab(self, request: HttpRequest, object_id: str, *, tab: Tab) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        federation: Federation | None = self.get_queryset(request).filter(pk=object_id).first()
        if federation is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        request.current_app = self.admin_site.name
        buttons = self.get_actions_detail(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": federation.display_name if tab is TABS[0] else f"{tab.title} of {federation}",
            "opts": self.opts,
            "original": federation,
            "federation": federation,
            "model_admin": self,
            "actions_detail": self._get_actions_navigation(self.actions_detail, buttons, object_id),
            "may_change": self.has_change_permission(request, federation),
            "allowed": {button.method.original_function_name for button in buttons},
            "status_label": label(federation.get_status_display(), STATUS_COLORS),
            "tabs": tab_links(request, federation, tab),
            "tab_title": tab.title,
            **tab.read(request, federation),
        }
        return TemplateResponse(request, tab.template, context)


def tab_links(request: HttpRequest, federation: Federation, current: Tab) -> list[dict[str, Any]]:
    """Return the tabs with their addresses and their numbers."""
    runtimes = runtimes_visible_to(request.user).filter(scope=federation.pk).count()
    # After a change of the configuration the hub has forgotten the runtimes: their number is unknown, and not 0.
    shown = None if not runtimes and has_forgotten_runtimes(federation) else runtimes
    numbers = {"servers": federation.mcp_server_count, "agents": federation.agent_count, "runtimes": shown}
    return [
        {
            "title": tab.title,
            "href": reverse(f"admin:{PREFIX}_{tab.name}", args=[federation.pk]),
            "number": numbers.get(tab.name),
            "is_current": tab is current,
        }
        for tab in TABS
    ]
