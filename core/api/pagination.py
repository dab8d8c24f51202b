"""Pages of a list: `page` from 1, `per_page` from 1 to 100, and the contract's `pagination` object."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

from core.api.errors import BadRequestError
from core.api.query import read_single_value

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100
# A longer number would name a page past the end too, but int() of a very long text takes quadratic time.
WHOLE_NUMBER = re.compile(r"[0-9]{1,30}\Z", re.ASCII)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page of a list that a caller requests, as `read_page` reads it from the query string.

    `number` counts pages from 1; `size` is the number of rows on a page, from 1 to 100.
    """

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Return the number of rows on the pages before this one."""
        return (self.number - 1) * self.size

    def body(self, total: int) -> dict[str, int]:
        """Return the contract's `pagination` object for a list of `total` rows."""
        pages = -(-total // self.size)
        return {"total": total, "page": self.number, "perPage": self.size, "totalPages": pages}


def read_page(query: QueryDict, *, last_page: int | None = None) -> PageRequest:
    """Return the page that a query string requests; `pageSize` overrides `per_page`. Raises BadRequestError."""
    per_page = read_whole_number(query, "per_page", default=DEFAULT_PER_PAGE, maximum=MAX_PER_PAGE)
    return PageRequest(
        number=read_whole_number(query, "page", default=1, maximum=last_page),
        size=read_whole_number(query, "pageSize", default=per_page, maximum=MAX_PER_PAGE),
    )


def read_whole_number(query: QueryDict, name: str, *, default: int, maximum: int | None) -> int:
    """Return a query parameter as a whole number from 1 to `maximum`; raise BadRequestError with its name otherwise."""
    text = read_single_value(query, name)
    if text is None:
        return default
    number = int(text) if WHOLE_NUMBER.match(text) else 0
    if number < 1 or (maximum is not None and number > maximum):
        bounds = "of 1 or more" if maximum is None else f"from 1 to {maximum}"
        raise BadRequestError(f"{name}: must be a whole number {bounds}")
    return number


def paginate(rows: QuerySet[Row], page: PageRequest) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of one page and its `pagination` object; a page past the end is empty and is not queried."""
    total = rows.count()
    body = page.body(total)
    if page.offset >= total:
        return [], body
    return list(rows[page.offset : page.offset + page.size]), body
