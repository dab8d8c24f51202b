"""The name of a region as staff type it: known, unknown but well-formed, or a typing error with the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PARTS = re.compile(r"(?P<area>[a-z]+(?:-[a-z]+)*)-(?P<direction>[a-z]+)-\d{1,2}")

# A text with as many typing errors is another name.
_FAR = 4


@dataclass(frozen=True, slots=True)
class RegionVerdict:
    """What the hub says about a region: its description, or an `error` that refuses it, or a `warning`."""

    description: str = ""
    error: str = ""
    warning: str = ""


def judge_region(name: str, known: Mapping[str, str]) -> RegionVerdict:
    """Judge the name of a region by the regions that the provider knows, which are names with their descriptions.

    AWS opens regions, so a name that is built like the known ones passes with a warning. A name with another direction
    than the known ones, such as `us-esat-1`, is a typing error.
    """
    if name in known:
        return RegionVerdict(description=known[name])
    nearest = _nearest(name.lower(), known)
    hint = f" Did you mean {nearest}?" if nearest else ""
    found = _PARTS.fullmatch(name)
    if found is None or found["direction"] not in _directions(known):
        return RegionVerdict(error=f"{name} is not an AWS region.{hint}")
    return RegionVerdict(
        warning=f"The hub does not know the region {name}.{hint} You can save it if AWS opened this region lately."
    )


def _nearest(text: str, known: Mapping[str, str]) -> str:
    """Return the known region that `text` is most like, or whose description has `text`; empty if there is none."""
    named = [name for name, description in known.items() if len(text) > 3 and text in description.lower()]
    distance, name = min(((_distance(text, name), name) for name in known), default=(_FAR, ""))
    return next(iter(named), name if distance < _FAR else "")


def _distance(left: str, right: str) -> int:
    """Return the number of typing errors between two texts: a letter more, less or other, or two letters swapped."""
    rows = [list(range(len(right) + 1))]
    for i, one in enumerate(left, start=1):
        row = [i]
        for j, other in enumerate(right, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (one != other))
            if i > 1 and j > 1 and one == right[j - 2] and left[i - 2] == other:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def _directions(known: Iterable[str]) -> set[str]:
    return {found["direction"] for name in known if (found := _PARTS.fullmatch(name))}
