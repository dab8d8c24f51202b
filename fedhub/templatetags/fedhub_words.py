"""The names of lists whose model's name is the one of a row: the menu and the list are called alike."""

from __future__ import annotations

from django import template
from django.http import HttpRequest

register = template.Library()

LISTS = {
    "journal entries": "journal",
    "log entries": "audit log",
    "preview slots": "dry runs under way",
}


@register.filter
def list_words(name: object) -> object:
    """Return the name of the list for the plural name of a model; any other value as it is."""
    return LISTS.get(str(name), name)


@register.simple_tag(takes_context=True)
def adds_a(context: template.RequestContext) -> object:
    """Return the name of a row of the model to which the page adds one; "" on any other page."""
    match = context.request.resolver_match if isinstance(context.request, HttpRequest) else None
    if match is None or not (match.url_name or "").endswith("_add"):
        return ""
    found = getattr(match.func, "model_admin", None)
    return found.opts.verbose_name if found is not None else ""
