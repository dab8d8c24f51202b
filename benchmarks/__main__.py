"""Run all benchmarks or the named ones, then print one table of their figures: `python -m benchmarks [ranking] …`.

The table has each figure beside its ideal, its peer or its aim, and beside the kept result of the last run, so that a
loss is seen. Each benchmark writes its raw results to a JSON file in benchmarks/results. `--kept` runs nothing and
prints the kept figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.headlines import READERS, Headline, headlines
from benchmarks.measure import kept_results

FILES = {"query_plans": "query_plans-sqlite"}
Figures = tuple[list[Headline], list[Headline]]
"""The figures of a benchmark now, and the kept ones."""

LOSS = 0.2
"""A figure that is worse by more than this part is marked; less is the noise between two runs on one machine."""


def main(arguments: Sequence[str]) -> int:
    """Run each benchmark in its own process, which has its own peak memory. Return the worst exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(READERS)}; all without a name")
    parser.add_argument("--kept", action="store_true", help="print the kept figures, run nothing")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.names) - set(READERS)):
        parser.error(f"unknown benchmark {', '.join(unknown)}; known ones: {', '.join(READERS)}")
    names = asked.names or list(READERS)
    kept = {name: _read(name) for name in names}
    worst = 0
    if asked.kept:
        figures: dict[str, Figures] = {name: (found, []) for name, found in kept.items()}
    else:
        runs = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False) for name in names]
        worst = max(run.returncode for run in runs)
        figures = {name: (_read(name), kept[name]) for name in names}
    Console(width=130).print(_table(figures))
    return worst


def _read(name: str) -> list[Headline]:
    """Return the figures in the benchmark's file of results; none if there is no file, or one of an older shape."""
    try:
        return headlines(name, kept_results(FILES.get(name, name)))
    except KeyError:
        return []


def _table(figures: dict[str, Figures]) -> Table:
    """Return the table of the figures now and, where some were kept, of those."""
    table = Table(title="All figures", caption=f"Marked: worse by more than {LOSS:.0%} than the kept result")
    for heading in ("", "figure", "now", "beside", "ratio", "kept", "change"):
        table.add_column(heading, justify="left" if heading in ("", "figure") else "right")
    for benchmark, (now, before) in figures.items():
        kept = {headline.name: headline for headline in before}
        for number, headline in enumerate(now):
            old = kept.get(headline.name)
            loss = headline.loss(old) if old else 0.0
            table.add_row(
                "" if number else benchmark,
                headline.name,
                _text(headline.value, headline.unit),
                f"{headline.what} {_text(headline.beside, headline.unit)}" if headline.beside is not None else "",
                f"{headline.ratio:.2f}" if headline.ratio is not None else "",
                _text(old.value, headline.unit) if old else "",
                f"{'worse' if loss > 0 else 'better'} {abs(loss):.0%}" if old and abs(loss) >= 0.005 else "",
                style="red" if loss > LOSS else "",
            )
        table.add_section()
    return table


def _text(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
