"""The agreement of the classes of change with labeled pairs of contents, before and after a change.

Run it from the root of the checkout: `python -m benchmarks.compatibility [--show]`. The aim is 98 %, and
no breaking change called compatible. benchmarks/compatibility has the pairs. Half of them are for tuning, and `--show`
prints those that disagree. For the held-out half the benchmark prints and stores only the figures, so that the rules
are not tuned for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measure import save_results
from federations.sync.compatibility.classes import ChangeClass
from federations.sync.diff import ContentDiff, diff_contents
from federations.sync.resources import ResourceKind

DATA = Path(__file__).parent / "compatibility"
TUNING, HELD_OUT = "tuning", "held_out"
AIM = 0.98


@dataclass(frozen=True, slots=True)
class Outcome:
    """A labeled pair and its diff."""

    id: str
    label: ChangeClass
    why: str
    diff: ContentDiff


def measure(half: str) -> list[Outcome]:
    """Compare the pairs of a half: TUNING or HELD_OUT."""
    pairs = json.loads((DATA / f"{half}.json").read_text(encoding="utf-8"))
    return [
        Outcome(
            pair["id"],
            ChangeClass(pair["class"]),
            pair["why"],
            diff_contents(ResourceKind(pair["kind"]), pair["before"], pair["after"]),
        )
        for pair in pairs
    ]


def agreement(outcomes: Sequence[Outcome]) -> float:
    """Return the share of pairs whose class is the label."""
    return sum(each.label is each.diff.change_class for each in outcomes) / len(outcomes)


def confusions(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many pairs have a class other than their label, as `label called class`."""
    wrong = (each for each in outcomes if each.label is not each.diff.change_class)
    return dict(Counter(f"{each.label} called {each.diff.change_class}" for each in wrong))


def main() -> int:
    """Print and store the agreement. Return 1 if it is below the aim, or a breaking change is called compatible."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the pairs of the tuning half that disagree")
    given = parser.parse_args()
    results: dict[str, Any] = {}
    print(f"agreement with the labels (aim {AIM:.0%}, no breaking change called compatible)")
    for half in (TUNING, HELD_OUT):
        started = perf_counter()
        outcomes = measure(half)
        seconds = perf_counter() - started
        wrong = confusions(outcomes)
        results[half] = {"pairs": len(outcomes), "agreement": round(agreement(outcomes), 4), "confusions": wrong}
        print(
            f"{half:<10}{len(outcomes):>5} pairs {agreement(outcomes):>7.1%}  {seconds:.2f} s  {wrong or 'all agree'}"
        )
        if given.show and half == TUNING:
            _show(outcomes)
    print("raw:", save_results("compatibility", {"halves": results}))
    return int(any(not _is_good(result) for result in results.values()))


def _is_good(result: dict[str, Any]) -> bool:
    return result["agreement"] >= AIM and "breaking called compatible" not in result["confusions"]


def _show(outcomes: Sequence[Outcome]) -> None:
    for each in outcomes:
        if each.label is not each.diff.change_class:
            rules = sorted({*each.diff.rules, *(rule for item in each.diff.items for rule in item.rules)})
            print(f"{each.id}: {each.label} called {each.diff.change_class} by {', '.join(rules)} ({each.why})")


if __name__ == "__main__":
    sys.exit(main())
