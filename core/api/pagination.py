"""Pages of a list: `page` from 1, `per_page` from 1 to 100, and the contract's `pagination` object."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

from core.api.errors import BadRequestError
from core.api.query import only_value

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100
# Longer numbers still mean a page past the end, but arithmetic with them costs.
WHOLE_NUMBER = re.compile(r"[0-9]{1,30}\Z", re.ASCII)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for: `number` from 1, `size` from 1 to 100."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Return how many rows come before the page."""
        return (self.number - 1) * self.size

    def body(self, total: int) -> dict[str, int]:
        """Return the contract's `pagination` object for a list of `total` rows."""
        pages = -(-total // self.size)
        return {"total": total, "page": self.number, "perPage": self.size, "totalPages": pages}


def page_of(query: QueryDict, *, last_page: int | None = None) -> PageRequest:
    """Return the page that a query string asks for; `pageSize` overrides `per_page`. Raises BadRequestError."""
    per_page = whole_number(query, "per_page", default=DEFAULT_PER_PAGE, maximum=MAX_PER_PAGE)
    return PageRequest(
        number=whole_number(query, "page", default=1, maximum=last_page),
        size=whole_number(query, "pageSize", default=per_page, maximum=MAX_PER_PAGE),
    )


def whole_number(query: QueryDict, name: str, *, default: int, maximum: int | None) -> int:
    """Return a query parameter as a number of 1 or more; raise BadRequestError, naming it, for anything else."""
    text = only_value(query, name)
    if text is None:
        return default
    number = int(text) if WHOLE_NUMBER.match(text) else 0
    if number < 1 or (maximum is not None and number > maximum):
        bounds = "of 1 or more" if maximum is None else f"from 1 to {maximum}"
        raise BadRequestError(f"{name}: must be a whole number {bounds}")
    return number


def paginate(rows: QuerySet[Row], page: PageRequest) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of one page and its `pagination` object; a page past the end is empty and costs no query."""
    total = rows.count()
    body = page.body(total)
    if page.offset >= total:
        return [], body
    return list(rows[page.offset : page.offset + page.size]), body
