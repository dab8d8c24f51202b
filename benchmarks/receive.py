"""Receive signed envelopes and callbacks of 50 peers, compared with the OpenIntent server of PyPI under the same load.

First 50 concurrent senders send 10,000 envelopes and 1,000 copies, and the hub must process each envelope once. Then 20
senders load both servers in alternating turns. The hub runs as in production (granian, SQLite), verifies both
signatures of each request and answers after its commit. The other server verifies nothing and stores envelopes in
memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import Plan, dispatch_of, peer_identity, peer_url
from benchmarks.measure import cpu_seconds_of, kept_results, save_results
from tests.contract.peer_hubs import Hub, free_port, template
from tests.openintent_server import API_KEY, OpenIntentProcess

ROOT = Path(__file__).resolve().parent.parent
PEERS = 50
ENVELOPES, COPIES, SENDERS = 10_000, 1_000, 50
# The default of FEDHUB_WEB_THREADS.
THREADS = 32
TURNS, TURN_ENVELOPES, TURN_SENDERS = 3, 1_000, 20
LOAD_SECONDS = 240
AIM_RATIO, AIM_P95_MS = 0.6, 40.0
RUNS_KEPT = 3
HANDLER = "docs.echo_agents.EchoAgents"
PRODUCTION = {
    "DEBUG": "false",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECRET_KEY": "b" * 64,
    "FEDHUB_SECRETS_KEY": "b" * 64,
    "LOG_LEVEL": "WARNING",
}
APPROVE = """
from peers.models import Dispatch
from core.actors import Actor
from peers.protocol import VerificationKey
from peers.services.trust.peers import add_peer, approve_peer
staff = Actor(id="1", name="staff")
for url, key, report in {peers}:
    peer = add_peer(url, public_key=key, by=staff)
    approve_peer(peer, key_fingerprint=VerificationKey.from_base64(key).fingerprint, by=staff)
    Dispatch.objects.create(
        id=report, intent_id="intent-1", intent_title="Compare", peer=peer, target_server=url, status="accepted",
        envelope="{{}}",
    )
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured load on one server. `server_cpu_ms` is the processor time per request, on Linux."""

    server: str
    senders: int
    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    statuses: Mapping[str, int]
    server_cpu_ms: float
    generator_cpu_seconds: float
    machine_load: float


def main() -> int:
    """Run all loads, print the figures, and return 1 unless the hub processed each envelope exactly once."""
    with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as name:
        folder = Path(name)
        database = template(folder / "template")
        hub, handling = (_hub(folder / each, database, handlers) for each, handlers in (("hub", ""), ("once", HANDLER)))
        try:
            hub.start("web")
            handling.start("web")
            other = OpenIntentProcess(
                f"http://127.0.0.1:{free_port()}", [peer_url(number) for number in range(PEERS)], folder / "openintent"
            )
            with other:
                once, faults = _receive_each_once(handling, folder)
                handling.kill()
                turns = _take_turns(hub, other, folder)
        finally:
            for running in (hub, handling):
                running.kill()
    return _report(once, faults, turns)


def _hub(folder: Path, database: Path, handlers: str) -> Hub:
    """Return a hub with production settings that has approved all peers."""
    hub = Hub(
        folder.name,
        folder,
        {**PRODUCTION, "FEDHUB_HANDLERS": handlers},
    )
    hub.threads = THREADS
    hub.create(database)
    approve_peers(hub)
    return hub


def approve_peers(hub: Hub) -> None:
    """Have staff of the hub approve all peers, and send each a dispatch on which it reports."""
    peers = [(peer_url(number), peer_identity(number).public_key_b64, dispatch_of(number)) for number in range(PEERS)]
    hub.do(APPROVE.format(peers=peers))


def _receive_each_once(hub: Hub, folder: Path) -> tuple[Turn, list[str]]:
    """Send all envelopes and copies. Return the turn and the failed checks."""
    plan = Plan("127.0.0.1", hub.port, ENVELOPES, SENDERS, PEERS, COPIES, database=str(hub.database))
    turn, outcome = load("hub, with a handler", plan, folder, hub.processes["web"].pid)
    answers: dict[str, list[list[str]]] = outcome["answers"]
    found = hub.rows(
        "SELECT r.dispatch_id, i.id FROM peers_receiveddispatch r JOIN peers_intent i ON i.id = r.intent_id"
    )
    rows = {dispatch_id: intent_id for dispatch_id, intent_id in found if dispatch_id in answers}
    events = hub.rows("SELECT count(*), count(DISTINCT dispatch_id) FROM peers_handlerevent")[0]
    replays = sum("Already processed" in message for given in answers.values() for _, message in given)
    expected = ENVELOPES + plan.warm_up
    checks = {
        f"answers: {turn.statuses}": turn.statuses == {"200": ENVELOPES + COPIES},
        f"rows: {len(found)} of {expected}": len(found) == len(dict(found)) == expected,
        f"rows of what was sent: {len(rows)}": len(rows) == len(answers) == ENVELOPES,
        f"events of handlers: {events} of {expected}": events == (expected, expected),
        f"copies answered as copies: {replays} of {COPIES}": replays == COPIES,
        "an answer names another intent than the row": all(
            intent_id == rows.get(dispatch_id) for dispatch_id, given in answers.items() for intent_id, _ in given
        ),
        f"rows missing at the answer: {outcome['rows_missing']} of {outcome['row_checks']}": not outcome[
            "rows_missing"
        ],
    }
    return turn, [text for text, is_right in checks.items() if not is_right]


def _take_turns(hub: Hub, other: OpenIntentProcess, folder: Path) -> list[Turn]:
    """Load both servers in alternating turns, so that other load on the machine slows both."""
    turns = []
    port, web = urlsplit(other.url).port or 0, hub.processes["web"].pid
    for seed in range(2, 2 + TURNS):
        plan = Plan("127.0.0.1", hub.port, TURN_ENVELOPES, TURN_SENDERS, PEERS, seed=seed)
        plans = {
            "openintent": (replace(plan, port=port, api_key=API_KEY), other.pid),
            "hub": (plan, web),
            "hub, envelope signed alone": (replace(plan, is_http_signed=False, seed=seed + TURNS), web),
            "hub, callbacks": (replace(plan, reports=True, seed=seed + 2 * TURNS), web),
            "hub, callback signed alone": (
                replace(plan, reports=True, is_http_signed=False, seed=seed + 3 * TURNS),
                web,
            ),
        }
        turns += [load(server, each, folder, pid)[0] for server, (each, pid) in plans.items()]
    return turns


def load(server: str, plan: Plan, folder: Path, pid: int) -> tuple[Turn, dict[str, Any]]:
    """Send the envelopes of `plan`; return the figures of the process `pid` and its children, and the outcome."""
    machine_load, cpu_before = os.getloadavg()[0], cpu_seconds_of(pid)
    (folder / "plan.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.load", str(folder / "plan.json"), str(folder / "outcome.json")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LOAD_SECONDS)
    cpu_seconds = cpu_seconds_of(pid) - cpu_before
    outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    latencies = outcome["latencies_ms"]
    quantiles = statistics.quantiles(latencies, n=100)
    turn = Turn(
        server=server,
        senders=plan.senders,
        requests=len(latencies),
        seconds=round(outcome["seconds"], 3),
        per_second=round(len(latencies) / outcome["seconds"], 1),
        p50_ms=round(quantiles[49], 1),
        p95_ms=round(quantiles[94], 1),
        p99_ms=round(quantiles[98], 1),
        statuses=outcome["statuses"],
        server_cpu_ms=round(cpu_seconds * 1000 / (len(latencies) + plan.warm_up), 3),
        generator_cpu_seconds=round(outcome["cpu_seconds"], 2),
        machine_load=round(machine_load, 2),
    )
    print(f"{turn.server}: {turn.per_second:.0f} a second, p95 {turn.p95_ms:.0f} ms, {turn.statuses}", flush=True)
    return turn, outcome


def _report(once: Turn, faults: Sequence[str], turns: Sequence[Turn]) -> int:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Envelopes received, {PEERS} peers; medians of {TURNS} turns at {TURN_SENDERS} senders")
    for heading in ("", "senders", "a second", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "ratio"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    by_server = {
        name: [turn for turn in turns if turn.server == name] for name in dict.fromkeys(t.server for t in turns)
    }
    medians = {name: _medians(chosen) for name, chosen in by_server.items()}
    base = medians["openintent"]["per_second"]
    for name, values in ({once.server: asdict(once)} | medians).items():
        table.add_row(
            name,
            str(values["senders"]),
            f"{values['per_second']:.0f}",
            *(f"{values[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms")),
            f"{values['server_cpu_ms']:.2f}",
            f"{values['per_second'] / base:.2f}" if name in medians else "",
        )
    ratio, p95 = medians["hub"]["per_second"] / base, medians["hub"]["p95_ms"]
    run = {"ratio": round(ratio, 3), "p95_ms": p95} | {
        f"{name}: server_cpu_ms": values["server_cpu_ms"] for name, values in medians.items()
    }
    results = {
        "ratio": round(ratio, 3),
        "runs": [*kept_results("receive").get("runs", []), run][-RUNS_KEPT:],
        "aims": {"ratio": AIM_RATIO, "p95_ms": AIM_P95_MS},
        "faults": list(faults),
        "cpus": os.cpu_count(),
        "exactly_once": asdict(once),
        "turns": [asdict(turn) for turn in turns],
    }
    path = save_results("receive", results)
    console = Console(width=100)
    console.print(table)
    console.print(f"Ratio {ratio:.2f} (aim {AIM_RATIO}), p95 {p95:.1f} ms (aim below {AIM_P95_MS:.0f} ms).")
    verdict = "each processed exactly once, and stored before its answer" if not faults else "; ".join(faults)
    console.print(f"{ENVELOPES} envelopes and {COPIES} copies from {SENDERS} senders: {verdict}.")
    console.print(f"Raw results: {path.relative_to(path.parents[2])}")
    return 1 if faults else 0


def _medians(turns: Sequence[Turn]) -> dict[str, float]:
    keys = ("senders", "per_second", "p50_ms", "p95_ms", "p99_ms", "server_cpu_ms")
    return {key: statistics.median(getattr(turn, key) for turn in turns) for key in keys}


if __name__ == "__main__":
    sys.exit(main())
