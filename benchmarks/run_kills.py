"""Kill the worker that drives agents while they work for a peer: `python -m benchmarks.run_kills [--kills 500]`.

The benchmark prints the number of kills at each point, and every violation of "the work is done once, and its end is
told once". It exits with 1 after a violation, or if a point has fewer than five kills in a campaign of 100 or more.
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
from tests.kills.run_campaign import RunCampaign, RunOutcome, campaign_pair, plan_kills  # noqa: E402
from tests.kills.run_points import POINTS  # noqa: E402
from tests.stores.databases import hub_databases  # noqa: E402

LEAST_HITS = 5
SECONDS_PER_KILL = 10


def main() -> int:
    """Run the campaign; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="folder for the files of the hubs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedhub-kills-") as name, hub_databases():
        folder = arguments.folder or Path(name)
        with campaign_pair(folder) as pair:
            campaign = RunCampaign(pair, folder, limit_seconds=60 + SECONDS_PER_KILL * arguments.kills)
            outcome = campaign.run(plan_kills(arguments.seed, arguments.kills))
    save_results("run_kills", {"seed": arguments.seed, "planned": arguments.kills, **asdict(outcome)})
    _report(outcome)
    rare = [point for point in POINTS if outcome.kills.get(point, 0) < LEAST_HITS]
    is_whole = arguments.kills >= 100
    if is_whole and rare:
        print(f"Fewer than {LEAST_HITS} kills at: {', '.join(rare)}")
    return 1 if outcome.violations or (is_whole and rare) else 0


def _report(outcome: RunOutcome) -> None:
    console = Console()
    table = Table(title=f"{sum(outcome.kills.values())} kills in {outcome.seconds:.0f} s")
    table.add_column("point")
    table.add_column("kills", justify="right")
    for point, count in outcome.kills.items():
        table.add_row(point, str(count))
    console.print(table)
    for name, count in outcome.rows.items():
        console.print(f"{count} {name}")
    for line in outcome.violations:
        console.print(line, style="red", markup=False)
    console.print(f"{len(outcome.violations)} violations")


if __name__ == "__main__":
    sys.exit(main())
