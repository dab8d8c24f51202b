"""Request every page of the admin and the API on a hub with volume: queries, processor time and compressed size.

The rows are those of `manage.py seed_volume`, on SQLite, which runs in this process. The time is that of the processor,
as the median of five requests, so a busy machine does not change it. At the end the registry grows to 10,000 runtimes.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

REQUESTS = 5
RUNTIMES = 10_000
AIM_QUERIES, AIM_MS, AIM_BYTES = 15, 150.0, 100_000
AIM_DASHBOARD_MS = 300.0
DASHBOARD = "/admin/"
# As a web server compresses pages while it sends them.
LEVEL = 6


@dataclass(frozen=True, slots=True)
class PageRun:
    """The figures of one page: `bytes` is the size of its HTML once compressed, `aim_ms` its longest time."""

    name: str
    queries: int
    milliseconds: float
    bytes: int
    aim_ms: float = AIM_MS

    @property
    def poor(self) -> list[str]:
        """Return the names of the figures that miss their aim."""
        found = {
            "queries": self.queries > AIM_QUERIES,
            "ms": self.milliseconds > self.aim_ms,
            "bytes": self.bytes > AIM_BYTES,
        }
        return [name for name, is_poor in found.items() if is_poor]


def main() -> int:
    """Fill a hub, measure every page, print the figures. Return 1 if a page misses an aim."""
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        unset = ("DATABASE_URL", "MONGODB_URI", "WEAVIATE_URL", "SEARCH_PATH", "FEDHUB_SERVER_URL")
        for name in unset:
            os.environ.pop(name, None)
        os.environ |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "ERROR"}
        import django
        from django.core.management import call_command
        from django.test import override_settings

        django.setup()
        call_command("migrate", verbosity=0)
        began = time.perf_counter()
        call_command("seed_volume", verbosity=0)
        seconds = time.perf_counter() - began
        # With DEBUG Django keeps the text of each query.
        with override_settings(DEBUG=False):
            runs = list(_runs())
    return _report(runs, seconds)


def _runs() -> Iterator[PageRun]:
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.browser.rows import addresses, api_addresses, page_name

    client = Client(HTTP_HOST="127.0.0.1", headers={"accept": "text/html"})
    client.force_login(User.objects.create_superuser("operator"))
    for path in dict.fromkeys([*addresses(), *api_addresses()]):
        yield _measure(client, path, page_name(path))
    _grow(RUNTIMES)
    yield _measure(client, DASHBOARD, f"dashboard with {RUNTIMES:,} runtimes", aim_ms=AIM_DASHBOARD_MS)


def _measure(client: Any, path: str, name: str, *, aim_ms: float = AIM_MS) -> PageRun:
    from tests.stores.counting import counted_queries

    # The first request also reads templates and content types, which the process keeps.
    client.get(path, follow=True)
    seconds = []
    for _ in range(REQUESTS):
        began = time.thread_time()
        response = client.get(path, follow=True)
        seconds.append(time.thread_time() - began)
    if response.status_code != 200:
        raise SystemExit(f"{path}: status {response.status_code}")
    with counted_queries() as queries:
        client.get(path, follow=True)
    body = len(zlib.compress(response.content, LEVEL))
    return PageRun(name, len(queries), round(statistics.median(seconds) * 1000, 1), body, aim_ms)


def _grow(total: int) -> None:
    """Copy servers and observations until the registry has `total` runtimes."""
    from core.ids import new_object_id
    from federations.models import McpServer, RuntimeObservation

    missing = total - RuntimeObservation.objects.count()
    servers = list(McpServer.objects.defer(None)[:missing])
    for number in range(missing):
        source = servers[number % len(servers)]
        tail = f"_copy_{number}"
        source.id, source.server_name = new_object_id(), f"{source.server_name.partition('_copy_')[0]}{tail}"
        source.path = source.path.partition("_copy_")[0] + tail
        source.runtime_id = source.runtime_id.partition("_copy_")[0] + tail
        source.save(force_insert=True)
        RuntimeObservation.objects.create(
            scope=source.federation_id or "",
            runtime_id=source.runtime_id,
            name=source.server_name,
            kind="mcp_server",
            version=source.runtime_version,
            status="READY",
        )


def _report(runs: list[PageRun], seconds: float) -> int:
    from rich.console import Console
    from rich.table import Table

    from benchmarks.measure import save_results

    table = Table(title=f"Pages with volume: at most {AIM_QUERIES} queries, {AIM_MS:.0f} ms, {AIM_BYTES // 1000} kB")
    for heading in ("page", "queries", "ms", "kB", "poor"):
        table.add_column(heading, justify="right" if heading in ("queries", "ms", "kB") else "left", overflow="fold")
    for run in runs:
        figures = (str(run.queries), f"{run.milliseconds:.0f}", f"{run.bytes / 1000:.1f}")
        table.add_row(run.name, *figures, ", ".join(run.poor))
    console = Console(width=110)
    console.print(table)
    poor = sum(bool(run.poor) for run in runs)
    results = {"seed_seconds": round(seconds, 1), "pages": [asdict(run) for run in runs]}
    path = save_results("pages", results)
    console.print(f"{len(runs)} pages, {poor} of them poor. Raw results: {path.relative_to(path.parents[2])}")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main())
