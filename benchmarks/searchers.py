"""100 searchers at once over HTTP: each waits for its answer, then sends the next search, on a connection of its own.

The hub runs as in production (granian, one web process, SQLite). The searchers are in the process of the benchmark, so
they share the processors with the hub, but no interpreter. A search is one with the token of a user who may see all.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import uvloop

from benchmarks.invented import queries
from benchmarks.load import read_answer
from benchmarks.measure import cpu_seconds_of
from benchmarks.receive import PRODUCTION, THREADS
from tests.contract.peer_hubs import Hub

SEARCHERS, SEARCHES, WARM_UP = 100, 2_000, 200
AIM_PER_SECOND = 100.0
ANSWER_SECONDS = 60
TOKEN = """
from core.tokens.services import issue_token
from django.contrib.auth.models import User
User.objects.create_superuser("searcher")
out = issue_token("searcher", scopes=["federations-read"], days=1)
"""


@dataclass(frozen=True, slots=True)
class Served:
    """The figures of the searches. `server_cpu_ms` is the processor time of one, on Linux."""

    searchers: int
    per_second: float
    p50_ms: float
    p95_ms: float
    statuses: dict[int, int]
    server_cpu_ms: float
    machine_load: float

    def __str__(self) -> str:
        """Return the figures in a sentence."""
        return (
            f"{self.searchers} searchers at once: {self.per_second:.0f} searches a second (aim {AIM_PER_SECOND:.0f}), "
            f"p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms, {self.server_cpu_ms:.1f} ms of the processor each, "
            f"statuses {self.statuses}; the machine's load before was {self.machine_load}"
        )


@dataclass(slots=True)
class _Outcome:
    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


def measure_served(folder: Path, servers: int) -> Served:
    """Serve the hub in `folder`, which has these servers and their index, and search it."""
    hub = Hub("hub", folder, {**PRODUCTION, "FEDHUB_HANDLERS": ""})
    hub.threads = THREADS
    token = hub.do(TOKEN)
    machine_load = os.getloadavg()[0]
    hub.start("web")
    try:
        _search(hub.port, token, queries(WARM_UP, servers))
        before, began = cpu_seconds_of(hub.processes["web"].pid), time.perf_counter()
        outcome = _search(hub.port, token, queries(SEARCHES, servers))
        seconds, cpu_seconds = time.perf_counter() - began, cpu_seconds_of(hub.processes["web"].pid) - before
    finally:
        hub.kill()
    quantiles = statistics.quantiles(outcome.latencies_ms, n=100)
    return Served(
        searchers=SEARCHERS,
        per_second=round(SEARCHES / seconds, 1),
        p50_ms=round(quantiles[49], 1),
        p95_ms=round(quantiles[94], 1),
        statuses=outcome.statuses,
        server_cpu_ms=round(cpu_seconds * 1000 / SEARCHES, 2),
        machine_load=round(machine_load, 2),
    )


def _search(port: int, token: str, texts: list[str]) -> _Outcome:
    outcome, waiting = _Outcome(), iter(texts)

    async def search_all() -> None:
        await asyncio.gather(*(_searcher(port, token, waiting, outcome) for _ in range(SEARCHERS)))

    uvloop.run(search_all())
    return outcome


async def _searcher(port: int, token: str, waiting: Iterator[str], outcome: _Outcome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    for text in waiting:
        began = time.perf_counter()
        writer.write(f"GET /api/v1/search?query={quote(text)} HTTP/1.1\r\n{head}".encode())
        status, _ = await asyncio.wait_for(read_answer(reader), ANSWER_SECONDS)
        outcome.latencies_ms.append((time.perf_counter() - began) * 1000)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    writer.close()
