"""Attack the messages between two hubs, and compare their books: `python -m benchmarks.books [--messages 1000]`.

The benchmark prints the number of acts of each kind, and every act that the two books do not show and every dispatch
that is lost. It exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

# This process stores nothing. The hubs have their own databases.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.measure import save_results  # noqa: E402 - Django must be set up first
from tests.books.acts import plan_acts  # noqa: E402
from tests.books.campaign import Outcome, run  # noqa: E402
from tests.stores.databases import hub_databases  # noqa: E402

SECONDS_PER_MESSAGE = 2


def main() -> int:
    """Run the campaign; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=1000, help="messages that are attacked")
    parser.add_argument("--folder", type=Path, help="folder for the files of the hubs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedhub-books-") as name, hub_databases():
        outcome = run(
            arguments.folder or Path(name),
            plan_acts(arguments.seed, arguments.messages),
            seed=arguments.seed,
            seconds=60 + SECONDS_PER_MESSAGE * arguments.messages,
        )
    _report(outcome)
    save_results(
        "books",
        {
            "seed": arguments.seed,
            "planned": arguments.messages,
            "seconds": outcome.seconds,
            "acts": outcome.kinds,
            "rows": outcome.rows,
            "violations": outcome.violations,
        },
    )
    return 1 if outcome.violations or len(outcome.acts) < arguments.messages else 0


def _report(outcome: Outcome) -> None:
    console = Console()
    table = Table(title=f"{len(outcome.acts)} acts in {outcome.seconds:.0f} s")
    table.add_column("act")
    table.add_column("messages", justify="right")
    for kind, count in outcome.kinds.items():
        table.add_row(kind, str(count))
    console.print(table)
    for name, count in sorted(outcome.rows.items()):
        console.print(f"{count} {name}")
    for line in outcome.violations:
        console.print(line, style="red", markup=False)
    console.print(f"{len(outcome.violations)} violations")


if __name__ == "__main__":
    sys.exit(main())
