"""Let a hub grow from 1,000 to 10,000 and 100,000 resources; measure lists, searches, dashboard and background work.

100 resources belong to a federation, half of them MCP servers of five tools and half A2A agents of four skills, so
100,000 resources are 550,000 documents of the search index. The database is SQLite in this process. A time is that of
the processor, so a busy machine changes it little. What a page shows does not grow, so its ideal is the time at the
smallest size. At the last size 100 searchers also ask the served hub at once (`searchers.py`).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.invented import NOUNS, queries, sentence, tool
from benchmarks.searchers import AIM_PER_SECOND, Served, measure_served

SIZES = (1_000, 10_000, 100_000)
PER_FEDERATION, TOOLS, SKILLS = 100, 5, 4
REQUESTS, SEARCHES = 5, 100
BATCH = 2_000
API_MS, FACE_MS, ADMIN_MS, DASHBOARD_MS, BACKGROUND_MS = 40.0, 100.0, 150.0, 300.0, 1000.0
PAGES = {
    "API: servers": ("/api/v1/servers?limit=50", API_MS),
    "API: servers by a word": (f"/api/v1/servers?limit=50&query={NOUNS[7]}", API_MS),
    "API: agents": ("/api/v1/agents?limit=50", API_MS),
    "API: agents by a word": (f"/api/v1/agents?limit=50&query={NOUNS[7]}", API_MS),
    "MCP registry's API: servers": ("/v0.1/servers?limit=50", FACE_MS),
    "MCP registry's API: servers by a word": (f"/v0.1/servers?limit=50&search={NOUNS[7]}", FACE_MS),
    "API: federations": ("/api/v1/federations?limit=50", API_MS),
    "admin: servers": ("/admin/federations/mcpserver/", ADMIN_MS),
    "admin: servers by a word": (f"/admin/federations/mcpserver/?q={NOUNS[7]}", ADMIN_MS),
    "admin: agents": ("/admin/federations/a2aagent/", ADMIN_MS),
    "admin: agents by a word": (f"/admin/federations/a2aagent/?q={NOUNS[7]}", ADMIN_MS),
    "admin: tools": ("/admin/tools/", ADMIN_MS),
    "admin: runtimes": ("/admin/federations/runtimeobservation/", ADMIN_MS),
    "admin: federations": ("/admin/federations/federation/", ADMIN_MS),
    "dashboard": ("/admin/", DASHBOARD_MS),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """The processor time of one thing at one size, in milliseconds: the median, and the value that 95 % keep."""

    name: str
    resources: int
    p50_ms: float
    p95_ms: float
    aim_ms: float


def main() -> int:
    """Grow a hub, measure at each size, print and keep the figures. Return 1 if a figure at the last size is poor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the last size")
    sizes = [size for size in SIZES if size <= parser.parse_args().most]
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
        for name in ("DATABASE_URL", "MONGODB_URI", "WEAVIATE_URL", "SEARCH_PATH", "FEDHUB_SERVER_URL"):
            os.environ.pop(name, None)
        os.environ |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "ERROR"}
        import django
        from django.core.management import call_command
        from django.test import override_settings

        django.setup()
        call_command("migrate", verbosity=0)
        # With DEBUG Django keeps the text of each query.
        with override_settings(DEBUG=False):
            figures, rebuilds = _grow_and_measure(sizes)
        served = measure_served(Path(folder), sizes[-1])
    return _report(figures, rebuilds, served, sizes)


def _grow_and_measure(sizes: Iterable[int]) -> tuple[list[Figure], dict[int, dict[str, float]]]:
    from django.contrib.auth.models import User
    from django.test import Client

    from benchmarks.measure import peak_memory_mb
    from core.loaded_objects import spare_loaded_objects
    from federations.services.index import rebuild_index

    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(User.objects.create_superuser("operator"))
    figures, rebuilds, stored = [], {}, 0
    for size in sizes:
        store(stored, size)
        stored = size
        began = time.thread_time()
        rebuild_index()
        rebuilds[size] = {"rebuild_seconds": time.thread_time() - began, "peak_memory_mb": peak_memory_mb()}
        print(f"{size:,} resources are stored", flush=True)
        # A web process does so when it starts.
        spare_loaded_objects()
        figures += [_figure(name, size, aim, _opened(client, path)) for name, (path, aim) in PAGES.items()]
        figures.append(_searches(client, size))
        figures += _mcp(size)
        figures += _background(size)
    return figures, rebuilds


def store(begin: int, end: int) -> None:
    """Store the federations and resources with the numbers from `begin` to before `end`, with their observations."""
    from datetime import timedelta

    from django.utils import timezone

    from federations.models import Federation

    rng, now = random.Random(begin), timezone.now()
    for start in range(begin, end, BATCH):
        numbers = range(start, min(start + BATCH, end))
        federations = Federation.objects.bulk_create(
            Federation(
                display_name=f"Account {number // PER_FEDERATION}",
                provider_config={"region": "us-east-1", "assumeRoleArn": "arn:aws:iam::123456789012:role/discovery"},
                sync_interval_seconds=86_400,
                next_sync_at=now + timedelta(days=1),
            )
            for number in numbers
            if number % PER_FEDERATION == 0
        )
        _store_resources(numbers, federations, rng, now)


def _store_resources(numbers: range, federations: list[Any], rng: random.Random, now: Any) -> None:
    from federations.models import A2aAgent, McpServer, RuntimeObservation

    servers, agents, seen = [], [], []
    for number in numbers:
        federation = federations[(number - numbers.start) // PER_FEDERATION]
        name = f"{rng.choice(NOUNS)}_{number}_{'mcp' if number % 2 else 'a2a'}"
        shared = _columns(number, federation, sentence(rng), now)
        if number % 2:
            tools = [tool(rng) for _ in range(TOOLS)]
            servers.append(McpServer(server_name=name, tools=tools, num_tools=TOOLS, **shared))
        else:
            skills = [_skill(rng) for _ in range(SKILLS)]
            card = {"name": name, "description": shared["description"], "skills": skills}
            agents.append(A2aAgent(name=name, card_name=name, card=card, skills=skills, num_skills=SKILLS, **shared))
        seen.append(
            RuntimeObservation(
                scope=federation.id, runtime_id=shared["runtime_id"], name=name, version="1", status="READY",
                kind="mcp_server" if number % 2 else "a2a_agent", last_updated_at=now,
            )
        )  # fmt: skip
    McpServer.objects.bulk_create(servers)
    A2aAgent.objects.bulk_create(agents)
    RuntimeObservation.objects.bulk_create(seen)


def _columns(number: int, federation: Any, description: str, now: Any) -> dict[str, Any]:
    return {
        "federation": federation,
        "path": f"/agentcore/{number}",
        "description": description,
        "status": "READY",
        "region": "us-east-1",
        "account_id": "123456789012",
        "runtime_id": f"runtime-{number}",
        "runtime_arn": f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{number}",
        "runtime_version": "1",
        "access_mode": "iam",
        "runtime_access": {"mode": "iam"},
        "url": f"https://runtime.example/{number}",
        "enriched_at": now,
    }


def _skill(rng: random.Random) -> dict[str, Any]:
    name = f"{rng.choice(NOUNS)} {rng.choice(NOUNS)}"
    return {"id": name.replace(" ", "_"), "name": name, "description": sentence(rng), "tags": [rng.choice(NOUNS)]}


def _opened(client: Any, path: str) -> list[float]:
    # The first request also reads templates and content types, which the process keeps.
    return [_timed(lambda: _get(client, path)) for _ in range(REQUESTS + 1)][1:]


def _get(client: Any, path: str) -> None:
    response = client.get(path, follow=True)
    if response.status_code != 200:
        raise SystemExit(f"{path}: status {response.status_code}")


def _searches(client: Any, size: int) -> Figure:
    texts = queries(SEARCHES, size)
    times = [_timed(lambda text=text: _get(client, f"/api/v1/search?query={text}")) for text in texts]  # type: ignore[misc]
    return _figure("API: search", size, API_MS, times)


def _mcp(size: int) -> list[Figure]:
    """Return the figures of what the MCP server's tools and resources do, without the message around it."""
    from django.contrib.auth.models import User

    from federations.mcp.listed import list_page
    from federations.mcp.server import TOOLS as MCP_TOOLS
    from federations.mcp.server import run_tool

    user, tool_of_search = User.objects.get(username="operator"), MCP_TOOLS["search_registry"]
    texts = [{"query": text} for text in queries(SEARCHES, size)]
    searched = [_timed(lambda given=given: run_tool(tool_of_search, user, given)) for given in texts]  # type: ignore[misc]
    listed = [_timed(lambda: list_page(user, None)) for _ in range(REQUESTS)]
    return [_figure("MCP: search", size, FACE_MS, searched), _figure("MCP: resources", size, FACE_MS, listed)]


def _background(size: int) -> list[Figure]:
    """Return the figures of work that looks at all federations, or at the index of one."""
    from core.beat.lease import hold
    from federations.models import Federation
    from federations.services.due_syncs import start_due_syncs
    from federations.services.index import update_index
    from federations.services.schedule import repair_schedules

    hold("benchmark")
    federation_id = Federation.objects.order_by("pk").values_list("pk", flat=True)[0]
    works: dict[str, Callable[[], object]] = {
        "beat: no sync is due": start_due_syncs,
        "sweep of schedules": repair_schedules,
        "check of a federation's index": lambda: update_index(federation_id),
    }
    return [_figure(name, size, BACKGROUND_MS, [_timed(work) for _ in range(REQUESTS)]) for name, work in works.items()]


def _timed(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return (time.thread_time() - began) * 1000


def _figure(name: str, size: int, aim: float, times: list[float]) -> Figure:
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > REQUESTS else max(times)
    return Figure(name, size, round(statistics.median(times), 1), round(p95, 1), aim)


def _report(figures: list[Figure], rebuilds: dict[int, dict[str, float]], served: Served, sizes: list[int]) -> int:
    from rich.console import Console
    from rich.table import Table

    from benchmarks.measure import save_results

    table = Table(title="Processor time in ms (p50 / p95) by number of resources")
    for heading in ("", *(f"{size:,}" for size in sizes), "aim", "growth"):
        table.add_column(heading, justify="right" if heading else "left")
    poor = False
    for name in dict.fromkeys(figure.name for figure in figures):
        row = [figure for figure in figures if figure.name == name]
        last = row[-1]
        is_poor = last.p95_ms > last.aim_ms
        poor = poor or is_poor
        cells = [f"{figure.p50_ms:.0f} / {figure.p95_ms:.0f}" for figure in row]
        style = "red" if is_poor else ""
        table.add_row(name, *cells, f"{last.aim_ms:.0f}", f"{last.p50_ms / max(row[0].p50_ms, 0.1):.1f}", style=style)
    console = Console(width=110)
    console.print(table)
    for size, values in rebuilds.items():
        console.print(
            f"{size:,} resources: index rebuilt in {values['rebuild_seconds']:.0f} s, "
            f"peak memory {values['peak_memory_mb']:.0f} MB"
        )
    console.print(str(served))
    results = {"figures": [asdict(figure) for figure in figures], "rebuilds": rebuilds, "served": asdict(served)}
    path = save_results("growth", results)
    console.print(f"Raw results: {path.relative_to(path.parents[2])}")
    return 1 if poor or served.per_second < AIM_PER_SECOND else 0


if __name__ == "__main__":
    sys.exit(main())
