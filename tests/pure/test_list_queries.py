"""The query of a saved view: one form for each list, and what is refused."""

from __future__ import annotations

import pytest

from core.lists.queries import MAX_PARAMETERS, MAX_QUERY_CHARS, InvalidQueryError, clean_query


def test_one_list_has_one_query_whatever_its_page() -> None:
    assert clean_query("?tab=held&p=7&q=a+b&_popup=1") == clean_query("q=a%20b&tab=held") == "q=a+b&tab=held"
    assert clean_query("status=b&status=a") == clean_query("status=a&status=b") == "status=a&status=b"
    assert clean_query("?") == clean_query("status=") == ""


@pytest.mark.parametrize(
    "query", ["q=%00", "q=a%0Ab", "%7F=1", "q=%FF", f"q={'x' * MAX_QUERY_CHARS}", "&a=1" * (MAX_PARAMETERS + 1)]
)
def test_a_query_that_no_list_has_is_refused(query: str) -> None:
    with pytest.raises(InvalidQueryError):
        clean_query(query)


def test_a_query_that_grows_beyond_the_column_is_refused() -> None:
    """A character takes up to 12 characters in an address."""
    with pytest.raises(InvalidQueryError):
        clean_query(f"q={'日' * 500}")
