"""The page around a dialog whose address is opened by itself: in a new tab, or before a page's scripts are ready."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def dialog_page(context: template.RequestContext) -> SafeString:
    """Return the dialog of the context as a page of the admin, which works without scripts.

    Raises Http404 for a row that the person of the request cannot find.
    """
    # The admin's modules load templates, and so this library, before they are complete.
    from core.admin.dialog_place import frame_of

    request = context.request
    given: Any = context.flatten()
    shown: dict[str, Any] = {**given, **frame_of(request, context["form"].object_id)}
    shown["title"] = context["dialog"].get("title") or shown.get("subtitle", "")
    return render_to_string("core/dialog_page.html", shown, request)
