"""Sync 1,000 runtimes of a sandbox that adds 50 ms to every AWS and runtime call, with 16 calls at the same time.

The ideal time of a run is the time of its calls: calls x latency / concurrency. The sandbox runs on the same machine as
the hub, which is this process.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from federations.sync.resources import Json
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox, start_sandbox

SERVERS = AGENTS = 500
TOOLS = 10
LATENCY_MS = 50
CONCURRENCY = 16
CHANGED = 100
TAGS: dict[str, Json] = {"env": "production"}
RESOURCE_TABLES = (
    "federations_mcpserver",
    "federations_a2aagent",
    "federations_mcpservertag",
    "federations_a2aagenttag",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One measured sync. `counts` are calls by operation, `rows` are written rows by table.

    `cpu_seconds` is the processor time of the hub's process, all threads.
    """

    name: str
    seconds: float
    cpu_seconds: float
    summary: dict[str, int]
    counts: dict[str, int]
    rows: dict[str, int]

    @property
    def calls(self) -> int:
        """Return the number of AWS and runtime calls."""
        return sum(self.counts.values())

    @property
    def ideal_seconds(self) -> float:
        """Return the time of the calls alone, in seconds."""
        return self.calls * LATENCY_MS / 1000 / CONCURRENCY

    @property
    def resource_rows(self) -> int:
        """Return the number of written rows of resources and their tags."""
        return sum(self.rows.get(table, 0) for table in RESOURCE_TABLES)


def main() -> None:
    """Run the scenario once and print its figures."""
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        os.environ |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "WARNING"}
        os.environ["FEDHUB_DISCOVERY_CONCURRENCY"] = str(CONCURRENCY)
        with start_sandbox(mcp=SERVERS, a2a=AGENTS, tools=TOOLS, latency_ms=LATENCY_MS, healthy=True) as sandbox:
            os.environ |= sandbox.environment
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            runs = _scenario(sandbox)
    _report(runs)


def _scenario(sandbox: RunningSandbox) -> list[Run]:
    from core.actors import Actor
    from federations.models import Federation
    from federations.services.federations import create_federation, delete_federation

    me = Actor("1", "benchmark")

    def create(**config: Any) -> Federation:
        full = {"region": REGION, "assumeRoleArn": ROLE_ARN, **config}
        return create_federation(
            provider_type="aws_agentcore",
            display_name="Benchmark",
            description=None,
            tags=[],
            provider_config=full,
            by=me,
        )

    names = [str(runtime["name"]) for runtime in sandbox.admin.runtimes()]
    federation = create()
    runs = [_measure(sandbox, federation, "first sync"), _measure(sandbox, federation, "unchanged")]
    _without_latency(
        sandbox, lambda: [sandbox.admin.patch(name, description="changed") for name in names[:: len(names) // CHANGED]]
    )
    runs.append(_measure(sandbox, federation, "10 % changed"))
    delete_federation(Federation.objects.get(id=federation.id), by=me)
    _without_latency(sandbox, lambda: [sandbox.admin.patch(name, tags=TAGS) for name in names])
    filtered = create(resourceTagsFilter=TAGS)
    runs.append(_measure(sandbox, filtered, "first sync, tag filter"))
    runs.append(_measure(sandbox, filtered, "unchanged, tag filter"))
    return runs


def _without_latency(sandbox: RunningSandbox, change: Callable[[], object]) -> None:
    """Call `change`, which changes the sandbox, without the added latency."""
    sandbox.admin.latency(0)
    change()
    sandbox.admin.latency(LATENCY_MS)


def _measure(sandbox: RunningSandbox, federation: Any, name: str) -> Run:
    from benchmarks.measure import rows_written
    from core.actors import Actor
    from federations.models import Federation
    from federations.services.run import run_sync
    from federations.services.start import start_sync

    sandbox.admin.reset()
    fresh = Federation.objects.get(id=federation.id)
    started, cpu = time.perf_counter(), time.process_time()
    with rows_written() as rows:
        job = run_sync(start_sync(fresh, by=Actor("1", "benchmark")).id)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    if job.status != "success":
        raise SystemExit(f"{name}: {job.error}")
    summary = {key: value for key, value in (job.summary or {}).items() if value}
    return Run(name, seconds, cpu_seconds, summary, sandbox.admin.counts(), dict(rows))


def _report(runs: list[Run]) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchmarks.measure import peak_memory_mb, save_results

    table = Table(
        title=f"{SERVERS} MCP servers of {TOOLS} tools, {AGENTS} agents, {LATENCY_MS} ms a call, {CONCURRENCY} at once"
    )
    for heading in ("", "seconds", "ideal", "ratio", "CPU ms a runtime", "calls", "resource rows", "other rows"):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        other = sum(run.rows.values()) - run.resource_rows
        table.add_row(
            run.name,
            f"{run.seconds:.2f}",
            f"{run.ideal_seconds:.2f}",
            f"{run.seconds / run.ideal_seconds:.2f}",
            f"{run.cpu_seconds / (SERVERS + AGENTS) * 1000:.1f}",
            str(run.calls),
            str(run.resource_rows),
            str(other),
        )
    console = Console()
    console.print(table)
    peak = peak_memory_mb()
    kept = [{**asdict(run), "ideal_seconds": run.ideal_seconds} for run in runs]
    path = save_results("sync", {"peak_memory_mb": round(peak, 1), "runs": kept})
    console.print(f"Peak memory of the hub's process: {peak:.0f} MB. Raw results: {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
