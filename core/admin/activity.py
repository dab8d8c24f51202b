"""The Activity of a row in the admin: who changed what, when and why; each line has a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from unfold.admin import ModelAdmin

from core.activity.lines import Line, read_position
from core.activity.reading import read_line, read_page
from core.admin.labels import format_age, format_time

BEFORE = "before"


class ActivityMixin(ModelAdmin):
    """The base of admin pages whose rows have an Activity, in the place of Django's history.

    Who may view a row may view its Activity; each book leaves out what the person may not see.
    """

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_activity_line"
        view = self.admin_site.admin_view(self.activity_line_view)
        return [path("<path:object_id>/history/<str:line>/", view, name=name), *super().get_urls()]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self._seen_row(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        before = read_position(request.GET.get(BEFORE, ""))
        page = read_page(row, request.user, before=before)
        own = self._address(object_id)
        context = {
            "lines": [shown_line(request, line, own) for line in page.lines],
            "older_url": f"?{urlencode({BEFORE: str(page.older)})}" if page.older else "",
            "newest_url": own if before else "",
        }
        return self._activity_page(request, row, "core/activity.html", f"Activity of {row}", context)

    def activity_line_view(self, request: HttpRequest, object_id: str, line: str) -> HttpResponse:
        """Return the page of one line, with links to the line before and the line after it."""
        row = self._seen_row(request, object_id)
        found = read_line(row, request.user, line) if row is not None else None
        if row is None or found is None:
            raise Http404("This line of the Activity is not there")
        own = self._address(object_id)
        context = {
            "line": shown_line(request, found.line, own),
            "older_url": f"{own}{found.older.name}/" if found.older else "",
            "newer_url": f"{own}{found.newer.name}/" if found.newer else "",
            "activity_url": own,
        }
        return self._activity_page(request, row, "core/activity_line.html", f"{found.line.what}: {row}", context)

    def _seen_row(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        return row

    def _address(self, object_id: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_history", args=[object_id])

    def _activity_page(
        self, request: HttpRequest, row: Any, template: str, title: str, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        own = {
            "title": title,
            "opts": self.opts,
            "model_admin": self,
            "original": row,
            "row_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk]),
        }
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **own, **context})


def shown_line(request: HttpRequest, line: Line, address: str) -> dict[str, Any]:
    """Return a line as the templates show it; `address` is that of the Activity."""
    return {
        "line": line,
        "url": f"{address}{line.name}/",
        "age": format_age(line.at),
        "time": format_time(line.at),
        "links": list(_links(request, line)),
    }


def _links(request: HttpRequest, line: Line) -> Iterator[dict[str, str]]:
    for link in line.belongs_to:
        if not link.permission or request.user.has_perm(link.permission):
            try:
                yield {"text": link.text, "url": reverse(link.page, args=[link.object_id])}
            except NoReverseMatch:
                continue
