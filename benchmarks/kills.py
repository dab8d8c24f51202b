"""Kill the processes of two hubs that work for each other: `python -m benchmarks.kills [--seed 1] [--kills 200]`.

The benchmark prints the number of kills at each point, the messages between the hubs, and every violation of "once". It
exits with 1 after a violation, or if a point has fewer than five kills in a campaign of 190 kills or more.
"""

from __future__ import annotations

import argparse
import os
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
from tests.kills.campaign import POINTS, Outcome, run  # noqa: E402
from tests.stores.databases import hub_databases  # noqa: E402

LEAST_HITS = 5
# A kill takes a few seconds, and the campaign kills four programs in parallel.
SECONDS_PER_KILL = 4


def main() -> int:
    """Run the campaign; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="folder for the files of the hubs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedhub-kills-") as folder, hub_databases():
        outcome = run(
            arguments.folder or Path(folder),
            seed=arguments.seed,
            kills=arguments.kills,
            seconds=60 + SECONDS_PER_KILL * arguments.kills,
        )
    save_results(
        "kills", {"seed": arguments.seed, "planned": arguments.kills, "total": outcome.total, **asdict(outcome)}
    )
    _report(outcome)
    rare = [
        f"{lane} {point}"
        for lane, points in POINTS.items()
        for point in points
        if outcome.kills[str(lane)].get(point, 0) < LEAST_HITS
    ]
    is_whole = arguments.kills >= LEAST_HITS * sum(map(len, POINTS.values()))
    if is_whole and rare:
        print(f"Fewer than {LEAST_HITS} kills at: {', '.join(rare)}")
    return 1 if outcome.violations or (is_whole and rare) else 0


def _report(outcome: Outcome) -> None:
    console = Console()
    table = Table(title=f"{outcome.total} kills in {outcome.seconds:.0f} s")
    for heading in ("program", "point", "kills"):
        table.add_column(heading, justify="right" if heading == "kills" else "left")
    for lane, points in outcome.kills.items():
        for point, count in points.items():
            table.add_row(lane, point, str(count))
    console.print(table)
    console.print(f"{outcome.answered} dispatches answered with 200, {outcome.unanswered} requests had no answer")
    for name, count in outcome.rows.items():
        console.print(f"{count} {name}")
    for line in (*outcome.refused, *outcome.violations):
        console.print(line, style="red", markup=False)
    console.print(f"{len(outcome.violations)} violations")


if __name__ == "__main__":
    sys.exit(main())
