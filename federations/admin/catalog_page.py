"""One page of a server's or agent's catalog: at most 50 entries of each section, and a bound on all texts together.

A text beyond the bound is not in the page; its fold loads it when staff open it (`document_fragment`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from core.admin.labels import count_text
from federations.admin.catalog_view import CatalogEntry, EntryOf, as_json
from federations.admin.parameters import MAX_ROWS, ParameterRow, count_parameters, rows_of
from federations.sync.resources import Json

PER_PAGE = 50
INLINE_CHARACTERS = 60_000
INLINE_ROWS = 500
SHORT_CHARACTERS = 600
MAX_FRAGMENT_CHARACTERS = 400_000
OPEN_UP_TO = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A kind of part of a resource: its heading, the word in its addresses, the stored parts, and the entry of one."""

    title: str
    slug: str
    parts: Sequence[Json]
    entry_of: EntryOf


@dataclass(frozen=True, slots=True)
class Fold:
    """A text that staff open: `text` itself, or an empty text and the address `url` from which the fold loads it."""

    title: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry on the page. `place` is its place in the stored list, from 0, and `rows` are its parameters.

    `rows_url` is the address of the parameters if they are not in the page, and `has_more_rows` says that the table
    has not all of them.
    """

    place: int
    entry: CatalogEntry
    short: str
    parameters_title: str
    rows: Sequence[ParameterRow]
    has_more_rows: bool
    rows_url: str
    folds: Sequence[Fold]
    is_open: bool


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section on the page: its entries, the number of all entries, and the addresses of the pages around."""

    title: str
    slug: str
    total: int
    entries: Sequence[ShownEntry]
    range: str
    previous_url: str
    next_url: str

    @property
    def has_folds(self) -> bool:
        """Tell whether an entry has something to open."""
        return any(each.folds or each.parameters_title or each.entry.lines for each in self.entries)


@dataclass(slots=True)
class Budget:
    """What may still be put into the page: characters of texts, and rows of parameters."""

    characters: int = INLINE_CHARACTERS
    rows: int = INLINE_ROWS
    urls: Callable[[str, int, str], str] = field(default=lambda slug, place, member: "")

    def fold(self, title: str, value: Json, url: str) -> Fold:
        """Return a fold with the value as text, or with its address if the page has enough texts."""
        plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if len(plain) > self.characters:
            return Fold(title, "", url)
        text = value if isinstance(value, str) else as_json(value)
        self.characters -= len(text)
        return Fold(title, text, "")


def listed(parts: Json) -> list[Json]:
    """Return the parts of a stored document; an empty list for a document of another type."""
    return parts if isinstance(parts, list) else []


def page_of(sections: Sequence[Section], query: QueryDict, budget: Budget) -> list[ShownSection]:
    """Return the sections with the entries of the pages that the query names (`tools=2`)."""
    return [_shown(section, query, budget) for section in sections]


def part_address(slug: str, place: int) -> str:
    """Return the end of the address of a resource's page at one of its parts: `#tools-7`, `?tools=2#tools-70`."""
    page = f"?{slug}={place // PER_PAGE + 1}" if place >= PER_PAGE else ""
    return f"{page}#{slug}-{place}"


def document_fragment(
    request: HttpRequest, sections: Sequence[Section], documents: Mapping[str, tuple[str, Json]]
) -> HttpResponse:
    """Answer with one text or table of a page as HTML; raise Http404 if the resource has none at this address."""
    slug, member = request.GET.get("of", ""), request.GET.get("member", "")
    if slug in documents:
        return _text(request, as_json(documents[slug][1]))
    place = request.GET.get("place", "")
    parts = next((section.parts for section in sections if section.slug == slug), [])
    number = int(place) if place.isascii() and place.isdigit() and len(place) < 7 else len(parts)
    part = parts[number] if number < len(parts) else None
    if not isinstance(part, dict) or member not in part:
        raise Http404("There is no such text")
    if request.GET.get("as") == "table":
        rows, has_more = rows_of(part[member])
        return render(request, "federations/parameters.html", {"rows": rows, "has_more": has_more})
    value = part[member]
    return _text(request, value if isinstance(value, str) else as_json(value))


def _text(request: HttpRequest, text: str) -> HttpResponse:
    cut = len(text) > MAX_FRAGMENT_CHARACTERS
    context = {"text": text[:MAX_FRAGMENT_CHARACTERS], "is_cut": cut}
    return render(request, "federations/document.html", context)


def _shown(section: Section, query: QueryDict, budget: Budget) -> ShownSection:
    total = len(section.parts)
    pages = max(1, -(-total // PER_PAGE))
    asked = query.get(section.slug, "")
    page = min(int(asked), pages) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 7 else 1
    first = (max(page, 1) - 1) * PER_PAGE
    shown = [
        (place, part)
        for place, part in enumerate(section.parts[first : first + PER_PAGE], first)
        if isinstance(part, dict)
    ]
    entries = [_entry(section, place, part, budget, is_open=total <= OPEN_UP_TO) for place, part in shown]

    def address(number: int) -> str:
        changed = query.copy()
        changed[section.slug] = str(number)
        return f"?{changed.urlencode()}#{section.slug}"

    return ShownSection(
        section.title,
        section.slug,
        total,
        entries,
        f"{first + 1:,} to {min(first + PER_PAGE, total):,} of {total:,}" if pages > 1 else "",
        address(page - 1) if page > 1 else "",
        address(page + 1) if page < pages else "",
    )


def _entry(section: Section, place: int, part: dict[str, Json], budget: Budget, *, is_open: bool) -> ShownEntry:
    entry = section.entry_of(part)
    schema = part.get("inputSchema")
    count, required = count_parameters(schema)
    rows, has_more = rows_of(schema, max(1, min(MAX_ROWS, budget.rows))) if count else ([], False)
    is_whole = not has_more or len(rows) == MAX_ROWS
    budget.rows -= len(rows)
    folds = [
        budget.fold(title, part[member], budget.urls(section.slug, place, member)) for title, member in entry.schemas
    ]
    if len(entry.description) > SHORT_CHARACTERS:
        url = budget.urls(section.slug, place, "description")
        folds.insert(0, budget.fold("Whole description", entry.description, url))
    short = entry.description[:SHORT_CHARACTERS]
    return ShownEntry(
        place=place,
        entry=entry,
        short=f"{short}…" if short != entry.description else short,
        parameters_title=f"{count_text(count, 'parameter')}, {required} required" if count else "",
        rows=rows if is_whole else (),
        has_more_rows=has_more,
        rows_url="" if is_whole else f"{budget.urls(section.slug, place, 'inputSchema')}&as=table",
        folds=folds,
        is_open=is_open and is_whole,
    )
