"""The product's words for the models of libraries, whose own names their migrations hold."""

from __future__ import annotations

from django import template

register = template.Library()

WORDS = {
    "application": "program",
    "applications": "programs",
    "periodic task": "task of the hub",
    "periodic tasks": "tasks of the hub",
}


@register.filter
def product_words(name: object) -> object:
    """Return the product's name of a model; any other value as it is."""
    return WORDS.get(str(name), name)
