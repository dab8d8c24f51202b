"""Work that agents do on two hubs and a local AWS: what the hub adds to it, and what it leaves to the other queues.

Three parts. First, runs of an agent that answers at once, beside the same messages sent by the bare client. Then 20
senders of another hub, each of which waits for its answer: the time from the receipt to the COMPLETED callback. At last
50 runs of 20 seconds over seven agents in one worker, beside deliveries and syncs of the same hub.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django
import httpx
from django.db import connections

# This process stores nothing. The hubs have their own databases.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.measure import cpu_seconds_of, save_results  # noqa: E402 - Django must be set up first
from core.strict_json import JsonObject  # noqa: E402
from federations.models import A2aAgent, AgentRun, SyncJob  # noqa: E402
from peers.models import Dispatch, InboundCallback, ReceivedDispatch  # noqa: E402
from tests.contract.agent_pair import AgentPair, agent_pair  # noqa: E402
from tests.contract.peer_pair import REGISTER  # noqa: E402
from tests.sandbox_server import start_sandbox  # noqa: E402
from tests.stores.databases import hub_databases  # noqa: E402

AT_ONCE = "answers_at_once"
SLOW_SECONDS = 20
RUNS, SENDERS, DISPATCHES = 200, 20, 200
SLOW_RUNS, SLOW_AGENTS = 50, 7
AIM_SLOW_SECONDS = 40.0
BESIDE, BESIDE_EVERY = 8, 2.0
WAIT_SECONDS = 180.0
_VERSION: JsonObject = {"a2aVersions": ["1.0"], "forwardedHeaders": ["A2A-Version"]}
AGENTS: dict[str, JsonObject] = {
    AT_ONCE: {"worker": "streams_at_once", **_VERSION},
    **{
        f"slow_{number}": {"worker": "streams", "workerSeconds": SLOW_SECONDS, **_VERSION}
        for number in range(SLOW_AGENTS)
    },
}
BARE = """
import asyncio, time
from core.ids import new_object_id
from federations.models import A2aAgent, AgentRun
from federations.runs.message import OutgoingMessage, context_id, message_id
from federations.services.read_stored import read_audience_accounts
from federations.services.runs.target import open_caller, read_target
agent = A2aAgent.objects.get(name="{agent}")
runs = [AgentRun(id=new_object_id(), agent_id=agent.id) for _ in range({runs})]
targets = [read_target(run) for run in runs]
caller = open_caller(targets[0].account, read_audience_accounts(), 50)
async def send(run, target):
    message = OutgoingMessage(message_id(run.id), context_id(run.id), "add 2 and 40", None)
    async for _ in caller.client(target.address).send(message):
        pass
async def send_all():
    limit = asyncio.Semaphore(8)
    async def one(run, target):
        async with limit:
            await send(run, target)
    await send(runs[0], targets[0])
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(one, runs, targets))
    found = [time.perf_counter() - began, time.process_time() - cpu]
    await caller.aclose()
    return found
out = asyncio.run(send_all())
"""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """All figures; times are in seconds, and processor times in milliseconds a run."""

    runs_seconds: float
    bare_seconds: float
    worker_cpu_ms: float
    bare_cpu_ms: float
    receive_to_completed_p50: float
    receive_to_completed_p95: float
    slow_runs_seconds: float
    slow_runs_completed: float
    deliveries_alone: float
    deliveries_beside: float
    syncs_alone: float
    syncs_beside: float


def main() -> int:
    """Do the three parts, print the figures, and return 1 if a run did not end as it must."""
    with (
        tempfile.TemporaryDirectory(prefix="fedhub-bench-") as name,
        hub_databases(),
        start_sandbox(runtimes=0) as sandbox,
        agent_pair(Path(name), sandbox, AGENTS, variables={"LOG_LEVEL": "WARNING"}) as pair,
    ):
        pair.right.start("worker-sync,handlers")
        pair.left.do(REGISTER)
        figures = RunFigures(**_overhead(pair), **_received(pair), **_beside(pair))
    return _report(figures)


# Runs of an agent that answers at once --------------------------------------------------------------------------------
def _overhead(pair: AgentPair) -> dict[str, float]:
    bare_seconds, bare_cpu = pair.right.do(BARE.format(agent=AT_ONCE, runs=RUNS))
    agent = pair.right.stored(A2aAgent).get(name=AT_ONCE)
    _give(pair, agent.id, 1)  # The worker opens its connections.
    _wait(lambda: _ended(pair) == 1)
    worker = pair.right.processes["worker-agents"].pid
    cpu = cpu_seconds_of(worker)
    _give(pair, agent.id, RUNS)
    _wait(lambda: _ended(pair) == 1 + RUNS)
    cpu = cpu_seconds_of(worker) - cpu
    runs = pair.right.stored(AgentRun).order_by("created_at")[1 : RUNS + 1]
    times: Any = runs.values_list("started_at", "finished_at")
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    return {
        "runs_seconds": round(seconds.total_seconds(), 3),
        "bare_seconds": round(bare_seconds, 3),
        "worker_cpu_ms": round(cpu * 1000 / RUNS, 2),
        "bare_cpu_ms": round(bare_cpu * 1000 / RUNS, 2),
    }


def _give(pair: AgentPair, agent_id: str, count: int) -> None:
    with httpx.Client(headers={"Authorization": f"Bearer {pair.staff_token}"}, timeout=30) as client:

        def post(_: int) -> None:
            answer = client.post(f"{pair.right.url}/api/v1/agents/{agent_id}/runs", json={"text": "add 2 and 40"})
            answer.raise_for_status()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(post, range(count)))


def _ended(pair: AgentPair) -> int:
    return pair.right.stored(AgentRun).filter(finished_at__isnull=False).count()


def _wait(probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done within {WAIT_SECONDS:g} s")
        time.sleep(0.1)


# Work from another hub ------------------------------------------------------------------------------------------------
def _received(pair: AgentPair) -> dict[str, float]:
    agent_id = AT_ONCE.replace("_", "-")

    def send(sender: int) -> list[str]:
        """Dispatch one intent after the other, each after the end of the one before."""
        ids = []
        for number in range(DISPATCHES // SENDERS):
            ids.append(pair.dispatch(agent_id=agent_id, intent_id=f"b-{sender}-{number}"))
            ended = pair.left.stored(Dispatch).filter(pk=ids[-1], finished_at__isnull=False)
            _wait(ended.exists)
        connections.close_all()
        return ids

    with ThreadPoolExecutor(SENDERS) as pool:
        ids = [dispatch_id for sent in pool.map(send, range(SENDERS)) for dispatch_id in sent]
    received = dict(pair.right.stored(ReceivedDispatch).values_list("dispatch_id", "received_at"))
    ends = pair.left.stored(InboundCallback).filter(event_type="completed", dispatch_id__in=ids)
    took = [
        (at - received[dispatch_id]).total_seconds()
        for dispatch_id, at in ends.values_list("dispatch_id", "received_at")
    ]
    assert len(took) == DISPATCHES, f"{len(took)} of {DISPATCHES} dispatches completed"
    quantiles = statistics.quantiles(took, n=100)
    return {
        "receive_to_completed_p50": round(quantiles[49], 3),
        "receive_to_completed_p95": round(quantiles[94], 3),
    }


# Long runs beside the other queues ------------------------------------------------------------------------------------
def _beside(pair: AgentPair) -> dict[str, float]:
    alone = _others(pair)
    agents = pair.right.stored(A2aAgent).filter(name__startswith="slow").values_list("id", flat=True)
    began = time.monotonic()
    before = _ended(pair)
    for number, agent_id in enumerate(agents):
        _give(pair, agent_id, SLOW_RUNS // SLOW_AGENTS + (number < SLOW_RUNS % SLOW_AGENTS))
    beside = _others(pair)
    _wait(lambda: _ended(pair) == before + SLOW_RUNS)
    seconds = time.monotonic() - began
    slow = pair.right.stored(AgentRun).filter(agent_name__startswith="slow")
    return {
        "slow_runs_seconds": round(seconds, 1),
        "slow_runs_completed": slow.filter(state="completed").count(),
        "deliveries_alone": alone[0],
        "deliveries_beside": beside[0],
        "syncs_alone": alone[1],
        "syncs_beside": beside[1],
    }


def _others(pair: AgentPair) -> tuple[float, float]:
    """Dispatch to the other hub and sync, again and again; return the median times to the delivery and of the sync."""
    headers = {"Authorization": f"Bearer {pair.staff_token}"}
    body = {"target_server": pair.left.url, "agent_id": "analyst", "intent_title": "Sum up"}
    dispatches: list[str] = []
    jobs: list[str] = []
    with httpx.Client(base_url=pair.right.url, headers=headers, timeout=30) as client:
        for number in range(BESIDE):
            sent = client.post("/api/v1/federation/dispatch", json={**body, "intent_id": f"o-{time.time_ns()}"})
            dispatches.append(sent.raise_for_status().json()["dispatch_id"])
            started = client.post(f"/api/v1/federations/{pair.federation_id}/sync", json={"reason": f"sync {number}"})
            if started.status_code != httpx.codes.CONFLICT:  # A sync before it is still running.
                jobs.append(started.raise_for_status().json()["id"])
            time.sleep(BESIDE_EVERY)
    sent_rows, job_rows = pair.right.stored(Dispatch).filter(pk__in=dispatches), pair.right.stored(SyncJob)
    _wait(lambda: sent_rows.filter(delivered_at__isnull=False).count() == BESIDE)
    _wait(lambda: job_rows.filter(pk__in=jobs, finished_at__isnull=False).count() == len(jobs))
    return (
        _median(sent_rows.values_list("created_at", "delivered_at")),
        _median(job_rows.filter(pk__in=jobs).values_list("created_at", "finished_at")),
    )


def _median(times: Any) -> float:
    found: float = statistics.median((end - start).total_seconds() for start, end in times)
    return round(found, 3)


def _report(figures: RunFigures) -> int:
    from rich.console import Console
    from rich.table import Table

    shown = asdict(figures)
    table = Table(title="Agents at work: two hubs, one worker for agents, a local AWS")
    for heading in ("", "measured", "beside it"):
        table.add_column(heading, justify="right" if heading else "left")
    rows: Sequence[tuple[str, str, str]] = (
        (f"{RUNS} runs that are answered at once, s", "runs_seconds", "{bare_seconds} by the bare client"),
        ("processor time of a run, ms", "worker_cpu_ms", "{bare_cpu_ms} by the bare client"),
        (f"receipt to COMPLETED at {SENDERS} senders, p50 s", "receive_to_completed_p50", ""),
        (f"receipt to COMPLETED at {SENDERS} senders, p95 s", "receive_to_completed_p95", ""),
        (
            f"{SLOW_RUNS} runs of {SLOW_SECONDS} s, {SLOW_AGENTS} agents, s",
            "slow_runs_seconds",
            f"aim {AIM_SLOW_SECONDS}",
        ),
        ("a delivery meanwhile, median s", "deliveries_beside", "{deliveries_alone} without runs"),
        ("a sync meanwhile, median s", "syncs_beside", "{syncs_alone} without runs"),
    )
    for text, name, beside in rows:
        table.add_row(text, str(shown[name]), beside.format(**shown))
    Console(width=110).print(table)
    path = save_results("runs", asdict(figures))
    print(f"Raw results: {path.relative_to(path.parents[2])}")
    is_whole = figures.slow_runs_completed == SLOW_RUNS and figures.slow_runs_seconds <= AIM_SLOW_SECONDS
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
