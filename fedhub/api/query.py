"""Texts from a query string, within bounds that every database can search for."""

from __future__ import annotations

from django.http import QueryDict

from fedhub.api.errors import BadRequestError

LONGEST_TEXT = 500
# Each wanted value is a join, of which SQLite allows 64.
MOST_VALUES = 20


def text_parameter(query: QueryDict, name: str) -> str | None:
    """Return the last value of a parameter, None where it is absent; raise BadRequestError, naming it, if unusable."""
    return checked(str(query[name]), name) if name in query else None


def text_parameters(query: QueryDict, name: str) -> list[str]:
    """Return the different values of a repeated parameter in their order; raise BadRequestError for too many."""
    values = list(dict.fromkeys(query.getlist(name)))
    if len(values) > MOST_VALUES:
        raise BadRequestError(f"{name}: at most {MOST_VALUES} values")
    return [checked(value, name) for value in values]


def checked(text: str, name: str) -> str:
    """Return `text`; raise BadRequestError for one that is too long or has a NUL character."""
    if len(text) > LONGEST_TEXT:
        raise BadRequestError(f"{name}: at most {LONGEST_TEXT} characters")
    if "\x00" in text:
        raise BadRequestError(f"{name}: NUL characters are not allowed")
    return text
