"""The place of a dialog in the admin: the model and the row whose address it has."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.urls import reverse

from core.admin.row_pages import BACK, RowPagesMixin


def frame_of(request: HttpRequest, object_id: Any) -> dict[str, Any]:
    """Return what the admin's pages show around a dialog: the row in the header, and where its Cancel leads.

    Raises Http404 for a row that the person of the request cannot find.
    """
    frame = admin.site.each_context(request)
    found = _admin_of(request)
    return frame | (_place(request, found, object_id) if found else {"back_url": reverse("admin:index")})


def _place(request: HttpRequest, found: Any, object_id: Any) -> dict[str, Any]:
    name = f"admin:{found.opts.app_label}_{found.opts.model_name}"
    place: dict[str, Any] = {"opts": found.opts, "back_url": reverse(f"{name}_changelist")}
    if object_id is None:
        return place
    row = found.get_object(request, str(object_id))
    if row is None:
        raise Http404(f"{found.opts.verbose_name} not found")
    heading = found.heading_of(row) if isinstance(found, RowPagesMixin) else str(row)
    row.page_heading = heading
    is_led_back = isinstance(found, RowPagesMixin) and BACK in request.GET
    back_url = found.back_url(request, str(object_id)) if is_led_back else reverse(f"{name}_change", args=[object_id])
    return {**place, "original": row, "subtitle": heading, "back_url": back_url}


def _admin_of(request: HttpRequest) -> Any:
    """Return the admin of the model to which the request's address belongs; None for an address of no model."""
    name = (request.resolver_match.url_name if request.resolver_match else None) or ""
    labels = {
        f"{model._meta.app_label}_{model._meta.model_name}_": found for model, found in admin.site._registry.items()
    }
    return next((found for label, found in labels.items() if name.startswith(label)), None)
