"""Run the hub for minutes while its processes are killed: `python -m benchmarks.soak [--minutes 10] [--mixed]`.

The benchmark prints its figures and each violation, and writes them to benchmarks/results. It exits with 1 after a
violation.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

# This process stores nothing. The hubs have their own databases.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.measure import save_results  # noqa: E402 - Django must be set up first
from benchmarks.soak.campaign import SoakOutcome, SoakPlan, run_soak  # noqa: E402
from tests.stores.databases import hub_databases  # noqa: E402

SHOWN = 10
ANSWERS = "answers"


def main() -> int:
    """Run the soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--federations", type=int, default=50)
    parser.add_argument("--mixed", action="store_true", help="mixed load without kills, stops and faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="folder for the files of the hubs")
    arguments = parser.parse_args()
    plan = SoakPlan(
        seconds=60 * arguments.minutes,
        federations=arguments.federations,
        seed=arguments.seed,
        is_mixed=arguments.mixed,
    )
    # A stop must end the hubs and servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="fedhub-soak-") as name, hub_databases():
        outcome, _ = run_soak(arguments.folder or Path(name), plan)
    save_results("mixed_load" if plan.is_mixed else "soak", {"plan": asdict(plan), **asdict(outcome)})
    _report(outcome)
    return 0 if outcome.is_clean else 1


def _report(outcome: SoakOutcome) -> None:
    console = Console()
    console.print(f"{outcome.seconds:.0f} s")
    for name, value in outcome.figures.items():
        if name != ANSWERS:
            console.print(f"{name}: {value}", markup=False)
    if answers := outcome.figures.get(ANSWERS):
        console.print(_table(answers))
    for name, found in outcome.violations.items():
        console.print(f"{name}: {len(found) or 'none'}")
        for line in found[:SHOWN]:
            console.print(f"  {line}", style="red", markup=False)
    for line in outcome.trouble:
        console.print(line, style="red", markup=False)


def _table(answers: dict[str, dict[str, float]]) -> Table:
    columns = list(next(iter(answers.values())))
    table = Table(title="The answers by kind")
    for heading in ("kind", *columns):
        table.add_column(heading.replace("_", " "), justify="left" if heading == "kind" else "right")
    for kind, figures in answers.items():
        table.add_row(kind, *(str(figures[column]) for column in columns))
    return table


if __name__ == "__main__":
    sys.exit(main())
