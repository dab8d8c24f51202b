"""Texts from a query string, within bounds that every database can search for."""

from __future__ import annotations

from django.http import QueryDict

from core.api.errors import BadRequestError

LONGEST_TEXT = 500
# Each wanted value is a join, of which SQLite allows 64.
MOST_VALUES = 20


def only_value(query: QueryDict, name: str) -> str | None:
    """Return a parameter's value, None where it is absent; raise BadRequestError where it is given twice."""
    values = query.getlist(name)
    if len(values) > 1:
        raise BadRequestError(f"{name}: given more than once")
    return values[0] if values else None


def text_parameter(query: QueryDict, name: str) -> str | None:
    """Return a parameter's value, None where it is absent; raise BadRequestError, naming it, if unusable."""
    value = only_value(query, name)
    return None if value is None else checked(value, name)


def text_parameters(query: QueryDict, name: str) -> list[str]:
    """Return the different values of a repeated parameter in their order; raise BadRequestError for too many."""
    values = query.getlist(name)
    if len(values) > MOST_VALUES:
        raise BadRequestError(f"{name}: at most {MOST_VALUES} values")
    return [checked(value, name) for value in dict.fromkeys(values)]


def checked(text: str, name: str) -> str:
    """Return `text`; raise BadRequestError for one that is too long or has a NUL character."""
    if len(text) > LONGEST_TEXT:
        raise BadRequestError(f"{name}: at most {LONGEST_TEXT} characters")
    if "\x00" in text:
        raise BadRequestError(f"{name}: NUL characters are not allowed")
    return text
