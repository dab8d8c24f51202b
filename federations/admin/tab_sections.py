"""One section of a tab: a small table with its heading, the link to the whole list, and the text of an empty table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """A small table of a tab. `more` is the link below it: `href` and `text`. An alarm stands out in red."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: Mapping[str, str] = field(default_factory=dict)
    empty: str = ""
    is_alarm: bool = False
