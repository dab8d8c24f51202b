"""Index and search 1,000 MCP servers of 10 tools each, on SQLite, and on Weaviate if WEAVIATE_URL names a server.

The rows are in a database. A rebuild drops the index and builds it from them. A check compares all stamps and finds no
difference. A call is a transaction of SQLite, or a REST or gRPC call to Weaviate. The ideal number of calls of a check
is one. At the end 100 searchers ask the served hub at once, on SQLite (`searchers.py`).
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.invented import NOUNS, queries, sentence, tool
from benchmarks.searchers import Served, measure_served

SERVERS = 1_000
TOOLS = 10
SEARCHES = 300
AIM_P95_MS = 200.0
# The benchmark has its own collection and empties it at the end. Other objects of a server would change the figures.
COLLECTION = "FedhubSearchBenchmark"


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one index. Calls go to its file or server."""

    index: str
    rebuild_seconds: float
    rebuild_calls: int
    check_seconds: float
    check_calls: int
    search_p50_ms: float
    search_p95_ms: float
    search_calls: float


def main() -> None:
    """Measure each index and print the figures."""
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        os.environ |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "WARNING"}
        os.environ["WEAVIATE_COLLECTION"] = COLLECTION
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        _store()
        runs = _runs()
        served = _served(Path(folder))
    _report(runs, served)


def _store() -> None:
    from django.utils import timezone

    from federations.models import Federation, McpServer

    rng = random.Random(7)
    federation = Federation.objects.create(display_name="Benchmark", provider_config={"region": "us-east-1"})
    now = timezone.now()
    McpServer.objects.bulk_create(
        McpServer(
            federation=federation,
            server_name=f"{rng.choice(NOUNS)}_{number}_mcp",
            path=f"/agentcore/mcp/{number}",
            description=sentence(rng),
            status="READY",
            region="us-east-1",
            account_id="123456789012",
            runtime_id=f"runtime-{number}",
            runtime_arn=f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{number}",
            runtime_version="1",
            access_mode="iam",
            runtime_access={"mode": "iam"},
            url=f"https://runtime.example/{number}",
            tools=[tool(rng) for _ in range(TOOLS)],
            num_tools=TOOLS,
            enriched_at=now,
        )
        for number in range(SERVERS)
    )


def _runs() -> list[Run]:
    from django.conf import settings
    from django.test import override_settings

    runs = []
    with override_settings(WEAVIATE_URL=""), _sqlite_calls() as calls:
        runs.append(_measure("SQLite", calls))
    if settings.WEAVIATE_URL:
        with _weaviate_calls() as calls:
            runs.append(_measure("Weaviate", calls))
    return runs


def _served(folder: Path) -> Served:
    from django.test import override_settings

    from federations.services.index import rebuild_index

    with override_settings(WEAVIATE_URL=""):
        rebuild_index()
    os.environ.pop("WEAVIATE_URL", None)
    return measure_served(folder, SERVERS)


def _measure(name: str, calls: list[str]) -> Run:
    from federations.models import Federation
    from federations.search.base import SearchQuery
    from federations.search.registry import search_index
    from federations.services.index import rebuild_index, update_index

    index = search_index()
    try:
        rebuild_seconds, built = _timed(rebuild_index)
        rebuild_calls = len(calls)
        calls.clear()
        federation = Federation.objects.get()
        check_seconds, mended = _timed(lambda: update_index(federation.id))
        if (built, mended) != (SERVERS, 0):
            raise SystemExit(f"{name}: built {built}, mended {mended}")
        check_calls = len(calls)
        calls.clear()
        searches = [partial(index.search, SearchQuery(text)) for text in queries(SEARCHES, SERVERS)]
        times = sorted(_timed(search)[0] * 1000 for search in searches)
        p50, p95 = (times[int(len(times) * share)] for share in (0.5, 0.95))
        return Run(name, rebuild_seconds, rebuild_calls, check_seconds, check_calls, p50, p95, len(calls) / len(times))
    finally:
        index.clear()


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


@contextmanager
def _sqlite_calls() -> Iterator[list[str]]:
    from federations.search.sqlite_file import SqliteFile

    with _counted(SqliteFile, "read", "write") as calls:
        yield calls


@contextmanager
def _weaviate_calls() -> Iterator[list[str]]:
    from weaviate.connect.v4 import ConnectionSync

    with _counted(
        ConnectionSync, "_send", "grpc_search", "grpc_batch_objects", "grpc_batch_delete", "grpc_aggregate"
    ) as calls:
        yield calls


@contextmanager
def _counted(owner: type, *names: str) -> Iterator[list[str]]:
    """Record each call of these methods while the block runs."""
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        method = getattr(owner, name)

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return method(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(owner, name, counting(name)))
        yield calls


def _report(runs: list[Run], served: Served) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchmarks.measure import peak_memory_mb, save_results

    table = Table(title=f"{SERVERS} MCP servers of {TOOLS} tools, {SEARCHES} searches")
    for heading in (
        "",
        "rebuild s",
        "calls",
        "check s",
        "calls (ideal 1)",
        "search p50 ms",
        f"p95 (aim {AIM_P95_MS:.0f})",
        "calls",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        table.add_row(
            run.index,
            f"{run.rebuild_seconds:.2f}",
            str(run.rebuild_calls),
            f"{run.check_seconds:.3f}",
            str(run.check_calls),
            f"{run.search_p50_ms:.1f}",
            f"{run.search_p95_ms:.1f}",
            f"{run.search_calls:.1f}",
        )
    console = Console()
    console.print(table)
    peak = peak_memory_mb()
    results = {"peak_memory_mb": round(peak, 1), "runs": [asdict(run) for run in runs], "served": asdict(served)}
    path = save_results("search", results)
    console.print(str(served))
    console.print(f"Peak memory of the hub's process: {peak:.0f} MB. Raw results: {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
