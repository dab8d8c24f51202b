"""The cells of CSV files: what a spreadsheet would run, and times."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.admin.list_export import ExportField, cell, csv_lines
from core.spreadsheets import bare

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@dataclass
class Row:
    name: str
    owner: Row | None = None

    def shout(self) -> str:
        return self.name.upper()


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "'"])
def test_a_spreadsheet_runs_no_cell(sign: str) -> None:
    text = f'{sign}HYPERLINK("http://evil.example")'
    found = cell(text, BERLIN)
    assert found.startswith("'")
    assert bare(found) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""), (True, "yes"), (False, "no"), (-5, "-5"), (12_998, "12998"), (1.5, "1.5"), ("plain", "plain"),
        (NOON, "2026-07-01T14:00:00+02:00"), (date(2026, 7, 1), "2026-07-01"), ("a\0b", "ab"), (["=a"], '["=a"]'),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_one_form(value: Any, shown: str) -> None:
    assert cell(value, BERLIN) == shown


def test_a_cell_is_read_by_path_method_or_function() -> None:
    fields: list[ExportField] = [
        ("Name", "name"),
        ("Owner", "owner.name"),
        ("Loud", "shout"),
        ("Length", lambda row: len(row.name)),
    ]
    text = "".join(csv_lines(fields, [Row('a, "b"', Row("=owner")), Row("line\nbreak")], BERLIN))
    assert list(csv.reader(io.StringIO(text))) == [
        ["Name", "Owner", "Loud", "Length"],
        ['a, "b"', "'=owner", 'A, "B"', "6"],
        ["line\nbreak", "", "LINE\nBREAK", "10"],
    ]
