"""Receive signed envelopes with one, two and four web processes on PostgreSQL.

Each case is loaded in turn by senders of 50 peers, three times. The ideal is the processor time of a request with one
process that has as many senders for itself: processes that wait for each other, or that do work again, would take more.
A process with fewer senders has smaller groups, and so a request costs more also where nothing is shared; the cases of
one process show how much. Throughput is shown beside it; it can only grow while the machine has processors left for the
generator and the database.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.load import Plan
from benchmarks.measure import cpu_seconds_of, save_results
from benchmarks.receive import PEERS, PRODUCTION, THREADS, Turn, approve_peers, load
from benchmarks.soak.servers import Postgresql
from tests.contract.peer_hubs import Hub

Case = tuple[int, int]
"""A number of web processes, and how many senders there are for each."""
CASES: tuple[Case, ...] = ((1, 20), (2, 20), (4, 20), (1, 10), (2, 10), (1, 5), (4, 5))
TURNS, ENVELOPES = 3, 4_000
AIM_MORE = 1.2
"""The most processor time a request may take with several processes, as a part of that with one."""


def main() -> int:
    """Load each case in turn, print the figures; return 1 if a request takes too much more."""
    turns: dict[Case, list[Turn]] = {case: [] for case in CASES}
    database_ms: dict[Case, list[float]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as name, _postgresql() as server:
        hub = Hub("hub", Path(name) / "hub", {**PRODUCTION, "DATABASE_URL": server.url, "FEDHUB_HANDLERS": ""})
        hub.threads = THREADS
        hub.migrate()
        approve_peers(hub)
        for turn in range(TURNS):
            for place, case in enumerate(CASES):
                number, senders = case
                hub.web_processes = number
                hub.start("web")
                before = cpu_seconds_of(server.pid)
                seed = len(CASES) * turn + place
                plan = Plan("127.0.0.1", hub.port, ENVELOPES, number * senders, PEERS, seed=seed)
                found, _ = load(f"processes: {case}", plan, Path(name), hub.processes["web"].pid)
                turns[case].append(found)
                database_ms[case].append((cpu_seconds_of(server.pid) - before) * 1000 / (ENVELOPES + plan.warm_up))
                hub.kill("web")
    return _report(turns, database_ms)


@contextmanager
def _postgresql() -> Iterator[Postgresql]:
    server = Postgresql()
    try:
        yield server
    finally:
        server.close()


def _report(turns: dict[Case, list[Turn]], database_ms: dict[Case, list[float]]) -> int:
    from rich.console import Console
    from rich.table import Table

    medians = {case: statistics.median(turn.server_cpu_ms for turn in found) for case, found in turns.items()}
    figures = [
        {
            "processes": number,
            "senders_of_each": senders,
            "per_second": statistics.median(turn.per_second for turn in found),
            "p95_ms": statistics.median(turn.p95_ms for turn in found),
            "server_cpu_ms": medians[number, senders],
            "of_one": round(medians[number, senders] / medians[1, senders], 2),
            "database_cpu_ms": round(statistics.median(database_ms[number, senders]), 3),
        }
        for (number, senders), found in turns.items()
    ]
    table = Table(title=f"Envelopes received on PostgreSQL; medians of {TURNS} turns")
    for heading in (
        "processes",
        "senders of each",
        "a second",
        "p95 ms",
        "CPU ms",
        "of one process",
        "PostgreSQL's ms",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures:
        table.add_row(
            str(row["processes"]),
            str(row["senders_of_each"]),
            f"{row['per_second']:.0f}",
            f"{row['p95_ms']:.1f}",
            f"{row['server_cpu_ms']:.2f}",
            f"{row['of_one']:.2f}",
            f"{row['database_cpu_ms']:.2f}",
        )
    kept = {"cpus": os.cpu_count(), "figures": figures, "turns": [asdict(t) for found in turns.values() for t in found]}
    path = save_results("processes", kept)
    console = Console(width=100)
    console.print(table)
    console.print(f"Aim: at most {AIM_MORE} of the processor time with one process that has as many senders.")
    console.print(f"Raw results: {path.relative_to(path.parents[2])}")
    wrong = [turn for found in turns.values() for turn in found if set(turn.statuses) != {"200"}]
    return 1 if wrong or max(row["of_one"] for row in figures) > AIM_MORE else 0


if __name__ == "__main__":
    sys.exit(main())
