"""Filters and pages of a list as controls, from the parameters in the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.safestring import SafeString

from core.api.browsable.described import Schema
from core.api.browsable.prose import prose

KNOWN_VALUES = "x-known-values"
"""The extension of a text parameter that names the known values, where an unknown one finds nothing."""

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Control:
    """One control of the form of filters.

    `kind` is `text`, `number`, `select`, `checks` or `texts`; `values` are the present ones. `options` are the values
    to choose from. `limits` are HTML attributes such as `max`.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    options: tuple[str, ...]
    limits: Mapping[str, Any]
    help: SafeString
    is_required: bool

    @property
    def value(self) -> str:
        """Return the one present value, empty without one."""
        return self.values[0] if self.values else ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the values of a repeated text, with an empty one to fill."""
        return (*self.values, "")


def controls(parameters: Sequence[Schema], query: Query) -> list[Control]:
    """Return the controls of the query parameters: the filters first, then the page's. `query` has the present values.

    A deprecated parameter is left out unless the query has it.
    """
    shown = [each for each in parameters if not each.get("deprecated") or each["name"] in query]
    made = [_control(each, tuple(query.get(each["name"], ()))) for each in shown if each["name"] != "page"]
    return sorted(made, key=lambda each: (not each.is_required, each.kind == "number", each.kind != "text"))


def _control(parameter: Schema, values: tuple[str, ...]) -> Control:
    schema: Schema = parameter["schema"]
    of_item: Schema = schema.get("items", {}) if schema.get("type") == "array" else schema
    options = tuple(str(value) for value in of_item.get("enum") or of_item.get(KNOWN_VALUES) or ())
    if schema.get("type") == "array":
        kind = "checks" if options else "texts"
    elif options:
        kind = "select"
        # A value that is not known finds nothing, but the page must show what was asked.
        options = tuple(dict.fromkeys((*options, *(value for value in values if value))))
    else:
        kind = "number" if schema.get("type") == "integer" else "text"
    names = {"minimum": "min", "maximum": "max", "maxLength": "maxlength", "default": "placeholder"}
    limits = {html: of_item[name] for name, html in names.items() if name in of_item}
    help_text = prose(parameter.get("description", ""))
    required = bool(parameter.get("required"))
    return Control(parameter["name"], kind, values, options, limits, help_text, required)


@dataclass(frozen=True, slots=True)
class Paging:
    """The place of a page in its list, with the addresses of the other pages; an empty address means there is none."""

    text: str
    first: str = ""
    previous: str = ""
    next: str = ""
    last: str = ""


def paging(answer: Any, path: str, query: Query) -> Paging | None:
    """Return the place that the answer's `pagination` or `next_cursor` tells, None for an answer that is no list."""
    if not isinstance(answer, dict):
        return None
    if isinstance(cursor := answer.get("next_cursor"), str):
        return Paging("More follow", next=_with(path, query, "cursor", cursor))
    found = answer.get("pagination")
    if not isinstance(found, dict):
        return None
    page, pages, total = (int(found[name]) for name in ("page", "totalPages", "total"))

    def address(number: int, *, is_shown: bool) -> str:
        return _with(path, query, "page", str(number)) if is_shown else ""

    if not total:
        return Paging("Nothing found")
    return Paging(
        f"Page {page:,} of {pages:,} ({total:,} in all)",
        first=address(1, is_shown=page > 2),
        previous=address(min(page - 1, pages), is_shown=page > 1),
        next=address(page + 1, is_shown=page < pages),
        last=address(pages, is_shown=page < pages - 1),
    )


def _with(path: str, query: Query, name: str, value: str) -> str:
    pairs = [(key, each) for key, values in query.items() if key != name for each in values]
    return f"{path}?{urlencode([*pairs, (name, value)])}"
