"""Texts from a query string, checked so that every database can search for them: bounded length, no NUL character."""

from __future__ import annotations

from django.http import QueryDict

from core.api.errors import BadRequestError

MAX_TEXT_CHARS = 500
# Each value adds a join to the query, and SQLite allows 64 joins.
MAX_VALUES = 20


def read_single_value(query: QueryDict, name: str) -> str | None:
    """Return the value of a parameter, or None; raise BadRequestError if the parameter is given twice."""
    values = query.getlist(name)
    if len(values) > 1:
        raise BadRequestError(f"{name}: given more than once")
    return values[0] if values else None


def text_parameter(query: QueryDict, name: str) -> str | None:
    """Return the text of a parameter, or None; raise BadRequestError with its name for a text out of bounds."""
    value = read_single_value(query, name)
    return None if value is None else check_text(value, name)


def text_parameters(query: QueryDict, name: str) -> list[str]:
    """Return the different values of a repeated parameter in their order; raise BadRequestError for more than 20."""
    values = query.getlist(name)
    if len(values) > MAX_VALUES:
        raise BadRequestError(f"{name}: at most {MAX_VALUES} values")
    return [check_text(value, name) for value in dict.fromkeys(values)]


def check_text(text: str, name: str) -> str:
    """Return `text`; raise BadRequestError if it is too long or has a NUL character."""
    if len(text) > MAX_TEXT_CHARS:
        raise BadRequestError(f"{name}: at most {MAX_TEXT_CHARS} characters")
    if "\x00" in text:
        raise BadRequestError(f"{name}: NUL characters are not allowed")
    return text
