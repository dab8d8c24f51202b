"""The names of lists whose model's name is the one of a row: the menu and the list are called alike."""

from __future__ import annotations

from django import template

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
