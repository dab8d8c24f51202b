"""A row's pages: its heading, its address, its buttons, and further pages beside its form."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import ModelAdmin

BACK = "back"
"""The query with the address of another page that shows the row's buttons, and to which they lead back."""


class RowPagesMixin(ModelAdmin):
    """The base of admin pages of rows: a page has a readable heading, and only the buttons that the row's state allows.

    A subclass overrides `heading_of` and `actions_of_row`.
    """

    def heading_of(self, row: Any) -> str:
        """Return the heading of a row's page: its name or title, never its id."""
        return str(row)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            # The page's header shows `page_heading` of the row; the browser's title shows `subtitle`.
            obj.page_heading = context["subtitle"] = self.heading_of(obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> Collection[str] | None:
        """Return the names of the methods whose buttons the row's page shows in the row's state; None for all."""
        return None

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        permitted = super().get_actions_detail(request, object_id)
        names = self.actions_of_row(request, object_id)
        return [found for found in permitted if names is None or found.method.original_function_name in names]

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row with the primary key `object_id`; raise Http404 if the user of the request cannot find one."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"{self.opts.verbose_name} not found")
        return row

    def row_url(self, object_id: str) -> str:
        """Return the address of a row's page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])

    def back_url(self, request: HttpRequest, object_id: str) -> str:
        """Return the address of the page that showed the button: the row's own, or another one of the admin."""
        wanted = request.GET.get(BACK, "")
        is_here = wanted.startswith(reverse("admin:index")) and url_has_allowed_host_and_scheme(wanted, None)
        return wanted if is_here else self.row_url(object_id)

    def redirect_to(self, request: HttpRequest, url: str) -> HttpResponse:
        """Return a redirect to `url`, also for a request that a dialog sent."""
        if "HX-Request" in request.headers:
            # A dialog posts by htmx, which would show the page behind a redirect inside the dialog.
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)

    def extra_page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        """Return a page of the admin site that is not the row's form."""
        request.current_app = self.admin_site.name
        own = {"title": title, "model_admin": self}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **own, **context})
