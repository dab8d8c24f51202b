"""The CSV file of a list: all pages of the list as it is filtered, written row by row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from django.utils import timezone

from core.spreadsheets import inert

MAX_ROWS = 50_000
CHUNK_ROWS = 1000
_WORD_BREAKS = re.compile(r"[^a-z0-9]+")

Source = str | Callable[[Any], Any]
ExportField = tuple[str, Source]
"""The heading of a column, and the source of its cells: a function of the row, or a path of attributes
(`federation.display_name`) whose last one may be a method without arguments."""


def refusal_of_file(count: int, noun: str) -> str:
    """Return why the hub makes no file of so many rows; an empty text if it makes one. `noun` is their plural."""
    if count <= MAX_ROWS:
        return ""
    return f"The list has {count:,} {noun}, and a file has at most {MAX_ROWS:,} rows. Narrow the list, then export it."


class _Echo:
    """A file that returns each line instead of writing it."""

    def write(self, line: str) -> str:
        return line


def csv_response(title: str, fields: Sequence[ExportField], rows: Iterable[Any]) -> StreamingHttpResponse:
    """Return the CSV file (RFC 4180) of the rows; times are in the present time zone, in ISO 8601 with the offset."""
    name = f"{_WORD_BREAKS.sub('-', title.lower())}-{timezone.localdate():%Y-%m-%d}.csv"
    lines = csv_lines(fields, rows, timezone.get_current_timezone())
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def csv_lines(fields: Sequence[ExportField], rows: Iterable[Any], zone: Any) -> Iterator[str]:
    """Yield the lines of a CSV file: the headings, then a line for each row."""
    writer = csv.writer(_Echo())
    yield writer.writerow([heading for heading, _ in fields])
    for row in rows:
        yield writer.writerow([cell(_read(row, source), zone) for _, source in fields])


def cell(value: Any, zone: ZoneInfo) -> str:
    """Return the text of a cell in which a spreadsheet finds no formula; times are in `zone`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return inert(json.dumps(value, ensure_ascii=False, default=str))
    # A NUL character ends a cell in some spreadsheets.
    return inert(str(value).replace("\0", ""))


def _read(row: Any, source: Source) -> Any:
    if callable(source):
        return source(row)
    value = reduce(lambda found, name: getattr(found, name, None), source.split("."), row)
    return value() if callable(value) else value
