"""Page arithmetic, without a database."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from core.api.errors import BadRequestError
from core.api.pagination import PageRequest, read_page


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", PageRequest(1, 20)),
        ("page=3&per_page=100", PageRequest(3, 100)),
        ("per_page=5&pageSize=7", PageRequest(1, 7)),
        ("page=0007", PageRequest(7, 20)),
    ],
)
def test_a_page_is_read_from_the_query(query: str, page: PageRequest) -> None:
    assert read_page(QueryDict(query)) == page


@pytest.mark.parametrize("name", ["page", "per_page", "pageSize"])
def test_a_number_that_is_given_twice_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_page(QueryDict(f"{name}=1&{name}=2"))
    assert str(refused.value.detail) == f"{name}: given more than once"


@pytest.mark.parametrize("name", ["per_page", "pageSize"])
@pytest.mark.parametrize("value", ["0", "101", "-1", "1.0", "+1", " 1", "", "ten", "1e2", "\u0661", "9" * 5000])
def test_a_size_outside_1_to_100_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_page(QueryDict(urlencode({name: value})))
    assert str(refused.value.detail) == f"{name}: must be a whole number from 1 to 100"


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "", "null", "9" * 31])
def test_a_page_below_1_is_refused_by_name(value: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_page(QueryDict(urlencode({"page": value})))
    assert str(refused.value.detail) == "page: must be a whole number of 1 or more"


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1), (21, 2), (100, 5)])
def test_total_pages_is_rounded_up_and_0_for_nothing(total: int, pages: int) -> None:
    assert PageRequest(1, 20).body(total) == {"total": total, "page": 1, "perPage": 20, "totalPages": pages}
