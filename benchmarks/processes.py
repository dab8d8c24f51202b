"""Receive signed envelopes with one, two and four web processes on PostgreSQL.

Each number of processes is loaded in turn by 20 senders of 50 peers, three times. The ideal is the processor time of a
request with one process: processes that wait for each other, or that do work again, would take more. Throughput is
shown beside it; it can only grow while the machine has processors left for the generator and the database.
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

NUMBERS = (1, 2, 4)
TURNS, ENVELOPES, SENDERS = 3, 4_000, 20
AIM_MORE = 1.2
"""The most processor time a request may take with several processes, as a part of that with one."""


def main() -> int:
    """Load each number of processes in turn, print the figures; return 1 if a request takes too much more."""
    turns: dict[int, list[Turn]] = {number: [] for number in NUMBERS}
    database_ms: dict[int, list[float]] = {number: [] for number in NUMBERS}
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as name, _postgresql() as server:
        hub = Hub("hub", Path(name) / "hub", {**PRODUCTION, "DATABASE_URL": server.url, "FEDHUB_HANDLERS": ""})
        hub.threads = THREADS
        hub.migrate()
        approve_peers(hub)
        for turn in range(TURNS):
            for number in NUMBERS:
                hub.web_processes = number
                hub.start("web")
                before = cpu_seconds_of(server.pid)
                plan = Plan("127.0.0.1", hub.port, ENVELOPES, SENDERS, PEERS, seed=100 * turn + number)
                found, _ = load(f"processes: {number}", plan, Path(name), hub.processes["web"].pid)
                turns[number].append(found)
                database_ms[number].append((cpu_seconds_of(server.pid) - before) * 1000 / (ENVELOPES + plan.warm_up))
                hub.kill("web")
    return _report(turns, database_ms)


@contextmanager
def _postgresql() -> Iterator[Postgresql]:
    server = Postgresql()
    try:
        yield server
    finally:
        server.close()


def _report(turns: dict[int, list[Turn]], database_ms: dict[int, list[float]]) -> int:
    from rich.console import Console
    from rich.table import Table

    figures = [
        {
            "processes": number,
            "per_second": statistics.median(turn.per_second for turn in found),
            "p95_ms": statistics.median(turn.p95_ms for turn in found),
            "server_cpu_ms": statistics.median(turn.server_cpu_ms for turn in found),
            "database_cpu_ms": round(statistics.median(database_ms[number]), 3),
        }
        for number, found in turns.items()
    ]
    alone = figures[0]["server_cpu_ms"]
    table = Table(title=f"Envelopes received on PostgreSQL; medians of {TURNS} turns at {SENDERS} senders")
    for heading in ("processes", "a second", "p95 ms", "CPU ms", "of one process", "CPU ms of PostgreSQL"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures:
        times = [f"{row['server_cpu_ms']:.2f}", f"{row['server_cpu_ms'] / alone:.2f}"]
        table.add_row(
            str(row["processes"]),
            f"{row['per_second']:.0f}",
            f"{row['p95_ms']:.1f}",
            *times,
            f"{row['database_cpu_ms']:.2f}",
        )
    kept = {"cpus": os.cpu_count(), "figures": figures, "turns": [asdict(t) for found in turns.values() for t in found]}
    path = save_results("processes", kept)
    console = Console(width=100)
    console.print(table)
    console.print(f"Aim: at most {AIM_MORE} of the processor time with one process.")
    console.print(f"Raw results: {path.relative_to(path.parents[2])}")
    wrong = [turn for found in turns.values() for turn in found if set(turn.statuses) != {"200"}]
    return 1 if wrong or max(row["server_cpu_ms"] for row in figures) > alone * AIM_MORE else 0


if __name__ == "__main__":
    sys.exit(main())
