"""Two texts side by side, line by line: the lines that differ, with a few equal lines around them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.safestring import SafeString

from federations.admin.visible_text import visible

CONTEXT = 3
# A comparison of lines takes time that grows with the square of their number.
MAX_COMPARED = 600
# A longer line becomes several, so that a change far inside it is shown.
LINE_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Row:
    """One row of two columns. `kind` is `same`, `changed`, `old`, `new` or `gap`; a missing side is None.

    A gap stands for equal lines that are left out, and `count` is their number.
    """

    kind: str
    old: str | None = None
    new: str | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A row as HTML."""

    kind: str
    old: SafeString | None
    new: SafeString | None
    count: int


def shown(row: Row) -> Line:
    """Return a row with its texts escaped and their hidden characters visible."""
    old, new = (None if text is None else visible(text) for text in (row.old, row.new))
    return Line(row.kind, old, new, row.count)


def compare_lines(before: str | None, after: str | None) -> list[Row]:
    """Return the rows of the two texts. None for a side that does not exist; then all lines are of the other side."""
    old, new = _lines(before), _lines(after)
    if before is None or after is None:
        return [_one_sided("old" if after is None else "new", text) for text in (old or new)]
    start = _common_start(old, new)
    end = _common_start(old[start:][::-1], new[start:][::-1])
    rows = [_same(text) for text in old[:start]]
    rows += _differing(old[start : len(old) - end], new[start : len(new) - end])
    rows += [_same(text) for text in old[len(old) - end :]]
    return _with_gaps(rows)


def _lines(text: str | None) -> list[str]:
    lines = [] if text is None else text.split("\n")
    return [line[at : at + LINE_LENGTH] for line in lines for at in range(0, max(1, len(line)), LINE_LENGTH)]


def _common_start(one: list[str], other: list[str]) -> int:
    count = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        count += 1
    return count


def _differing(old: list[str], new: list[str]) -> list[Row]:
    if max(len(old), len(new)) > MAX_COMPARED:
        return [_one_sided("old", text) for text in old] + [_one_sided("new", text) for text in new]
    rows: list[Row] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new).get_opcodes():
        left, right = old[old_from:old_to], new[new_from:new_to]
        if tag == "equal":
            rows += [_same(text) for text in left]
            continue
        paired = min(len(left), len(right))
        rows += [Row("changed", mine, yours) for mine, yours in zip(left, right, strict=False)]
        rows += [_one_sided("old", text) for text in left[paired:]]
        rows += [_one_sided("new", text) for text in right[paired:]]
    return rows


def _with_gaps(rows: list[Row]) -> list[Row]:
    """Return the rows with a gap in place of each long run of equal lines."""
    changed = [number for number, row in enumerate(rows) if row.kind != "same"]
    near = {each for number in changed for each in range(number - CONTEXT, number + CONTEXT + 1)}
    kept: list[Row] = []
    left_out = 0
    for number, row in enumerate([*rows, None]):
        if row is not None and number not in near:
            left_out += 1
            continue
        if left_out:
            kept.append(Row("gap", count=left_out))
            left_out = 0
        if row is not None:
            kept.append(row)
    return kept


def _one_sided(kind: str, text: str) -> Row:
    return Row("old", old=text) if kind == "old" else Row("new", new=text)


def _same(text: str) -> Row:
    return Row("same", text, text)
