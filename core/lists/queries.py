"""The query of a list's address in one form: in which a person saves it, and in which two queries are compared."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

MAX_QUERY_CHARS = 2000
MAX_PARAMETERS = 50
# The page of the list, the mark of a refused filter, and the parameters of a pop-up: they are not part of a view.
NOT_SAVED = frozenset({"p", "e", "all", "_popup", "_to_field", "_changelist_filters", "_facets"})


class InvalidQueryError(ValueError):
    """A query that no list's address has; the message says why, for the person who sent it."""


def clean_query(text: str) -> str:
    """Return the query of a list's address, without what is not part of a view, sorted by the parameters' names.

    Raises InvalidQueryError for a query that is longer than MAX_QUERY_CHARS, that has more than MAX_PARAMETERS
    parameters, or that has a control character.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise InvalidQueryError(f"The filters are longer than {MAX_QUERY_CHARS:,} characters.")
    try:
        pairs = parse_qsl(text.removeprefix("?"), errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:
        raise InvalidQueryError("The address of the list cannot be read.") from exc
    kept = sorted((name, value) for name, value in pairs if name not in NOT_SAVED)
    if any(not each.isprintable() for pair in kept for each in pair):
        raise InvalidQueryError("The filters have a control character.")
    query = urlencode(kept)
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidQueryError(f"The filters are longer than {MAX_QUERY_CHARS:,} characters.")
    return query
