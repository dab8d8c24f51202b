"""The CSV files of all tools and of all skills, as the pages of them are filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from core.admin.list_export import ExportField
from federations.admin.parameters import parameters_of
from federations.services.parts import Part, PartPage

PARTS_AT_ONCE = 1000


def _text(key: str) -> Callable[[Part], Any]:
    return lambda part: part.found.get(key)


_PLACE: tuple[ExportField, ...] = (("Federation", "owner.federation.display_name"), ("Changed", "owner.updated_at"))
TOOLS_EXPORT: tuple[ExportField, ...] = (
    ("Name", _text("name")),
    ("Title", _text("title")),
    ("Description", _text("description")),
    ("Takes", lambda part: ", ".join(f"{each.name}: {each.type}" for each in parameters_of(part.found))),
    ("Server", "owner.name"),
    *_PLACE,
)
SKILLS_EXPORT: tuple[ExportField, ...] = (
    ("Name", lambda part: part.found.get("name") or part.found.get("id")),
    ("Description", _text("description")),
    ("Tags", _text("tags")),
    ("Agent", "owner.name"),
    *_PLACE,
)


def all_parts(read_page: Callable[[int], PartPage], pages: int) -> Iterator[Part]:
    """Yield the parts of all pages; `read_page` gets the number of a page, from 1."""
    for number in range(1, pages + 1):
        yield from read_page(number).parts
