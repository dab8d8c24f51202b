"""A load generator: it sends signed envelopes of many peers over many connections and measures each answer.

It is a separate process (`python -m benchmarks.load <plan.json> <outcome.json>`), so that it does not share an
interpreter with the measured server. It signs and encodes all requests before the clock starts. After that a sender
only writes bytes, reads an answer and records the time. The seed of the plan determines the requests and their order.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from peers.protocol import FederationEnvelope, HubIdentity, sign_envelope, sign_request

RECEIVE_PATH, CALLBACK_PATH = "/api/v1/federation/receive", "/api/v1/federation/callback"
ANSWER_SECONDS = 60
# At every 50th answer the generator checks that the row is in the database.
ROW_CHECK_INTERVAL = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """The load: its target, and its number of envelopes, senders and peers. `duplicates` envelopes are sent twice.

    `database` is the file of a hub's database, in which the generator checks rows at the time of an answer. An empty
    `database` disables the check. With `reports` the messages are callbacks, which report on the dispatches
    `dispatch_of(number)`.
    """

    host: str
    port: int
    envelopes: int
    senders: int
    peers: int
    duplicates: int = 0
    is_http_signed: bool = True
    api_key: str = ""
    database: str = ""
    seed: int = 1
    warm_up: int = 100
    reports: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """The bytes of a request, and the id of its dispatch."""

    dispatch_id: str
    data: bytes


@dataclass(slots=True)
class Outcome:
    """The measured answers. `answers` maps a dispatch id to (local intent id, message) of each of its answers."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    answers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    row_checks: int = 0
    rows_missing: int = 0


def peer_url(number: int) -> str:
    """Return the URL of a peer."""
    return f"https://peer-{number}.example.org"


def peer_identity(number: int) -> HubIdentity:
    """Return the identity of a peer, with a key derived from its number."""
    return HubIdentity(peer_url(number), private_key_bytes=number.to_bytes(32, "big"))


def dispatch_of(number: int) -> str:
    """Return the id of the dispatch to a peer on which that peer reports."""
    return f"report-{number}"


def prepare(plan: Plan, count: int, duplicates: int, chance: random.Random) -> list[Prepared]:
    """Return the signed requests in the order in which the senders take them.

    Half of the copies follow their original directly, so that both are processed at the same time. The others have a
    random place after it. A copy has the same envelope but, as a retry has, its own HTTP signature.
    """
    identities = [peer_identity(number) for number in range(plan.peers)]
    make = _callback if plan.reports else _envelope
    envelopes = [make(plan, number % plan.peers, chance) for number in range(count)]
    order: list[tuple[float, int]] = [(float(number), number) for number in range(count)]
    for turn, number in enumerate(chance.sample(range(count), duplicates)):
        order.append((number + 0.5 if turn % 2 else chance.uniform(number + 1, count), number))
    return [_request(plan, identities[number % plan.peers], envelopes[number], chance) for _, number in sorted(order)]


async def run(plan: Plan) -> Outcome:
    """Warm the server up, sign all requests, then send and measure them."""
    chance = random.Random(plan.seed)
    await _send_all(plan, prepare(plan, plan.warm_up, 0, chance), Outcome())
    requests, outcome = prepare(plan, plan.envelopes, plan.duplicates, chance), Outcome()
    cpu, began = _cpu_seconds(), time.perf_counter()
    await _send_all(plan, requests, outcome)
    outcome.seconds, outcome.cpu_seconds = time.perf_counter() - began, _cpu_seconds() - cpu
    return outcome


def _callback(plan: Plan, peer: int, chance: random.Random) -> dict[str, Any]:
    callback: dict[str, Any] = {
        "dispatch_id": dispatch_of(peer),
        "event_type": "state_delta",
        "state_delta": {"progress": round(chance.random(), 3), "note": "Two of three suppliers have answered."},
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "idempotency_key": f"{chance.getrandbits(128):032x}",
    }
    return {**callback, "signature": sign_envelope(peer_identity(peer), callback)}


def _envelope(plan: Plan, peer: int, chance: random.Random) -> dict[str, Any]:
    identity = peer_identity(peer)
    dispatch_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    envelope = FederationEnvelope(
        dispatch_id=dispatch_id,
        source_server=identity.server_url,
        target_server=f"http://{plan.host}:{plan.port}",
        intent_id="intent-1",
        intent_title="Compare three suppliers",
        intent_description="Prices, delivery times and terms, as a table with sources.",
        intent_state={"suppliers": ["one", "two", "three"], "currency": "EUR"},
        trace_context={"trace_id": "0af7651916cd43dd8448eb211c80319c"},
        idempotency_key=dispatch_id,
        created_at=datetime.now(UTC).isoformat(),
    ).to_dict()
    return {**envelope, "signature": sign_envelope(identity, envelope)}


def _request(plan: Plan, identity: HubIdentity, envelope: dict[str, Any], chance: random.Random) -> Prepared:
    body = json.dumps(envelope, separators=(",", ":")).encode()
    path = CALLBACK_PATH if plan.reports else RECEIVE_PATH
    headers = {"Host": f"{plan.host}:{plan.port}", "Content-Type": "application/json"}
    if plan.is_http_signed:
        headers |= sign_request(
            identity.signing_key(),
            keyid=identity.did,
            method="POST",
            target_uri=f"http://{plan.host}:{plan.port}{path}",
            body=body,
            created=int(time.time()),
            nonce=f"{chance.getrandbits(128):032x}",
        )
    if plan.api_key:
        headers["X-API-Key"] = plan.api_key
    headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Prepared(envelope["dispatch_id"], f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)


async def _send_all(plan: Plan, requests: Sequence[Prepared], outcome: Outcome) -> None:
    waiting = iter(requests)
    # Without a database the connection is to an empty one in memory.
    source = f"file:{plan.database}?mode=ro" if plan.database else ":memory:"
    with closing(sqlite3.connect(source, uri=True)) as rows:
        await asyncio.gather(*(_sender(plan, waiting, outcome, rows) for _ in range(plan.senders)))


async def _sender(plan: Plan, waiting: Iterator[Prepared], outcome: Outcome, rows: sqlite3.Connection) -> None:
    """Take and send requests one at a time, on one connection, until none is left."""
    reader, writer = await asyncio.open_connection(plan.host, plan.port)
    for request in waiting:
        began = time.perf_counter()
        writer.write(request.data)
        status, body = await asyncio.wait_for(read_answer(reader), ANSWER_SECONDS)
        outcome.latencies_ms.append((time.perf_counter() - began) * 1000)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if plan.database and len(outcome.latencies_ms) % ROW_CHECK_INTERVAL == 0:
            _check_row(request, rows, outcome)
        outcome.answers.setdefault(request.dispatch_id, []).append(_read(body))
    writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return int(head[9:12]), await reader.readexactly(length)


def _read(body: bytes) -> tuple[str, str]:
    answer = json.loads(body)
    return str(answer.get("local_intent_id") or ""), str(answer.get("message") or answer.get("detail"))


def _check_row(request: Prepared, rows: sqlite3.Connection, outcome: Outcome) -> None:
    outcome.row_checks += 1
    query = "SELECT 1 FROM peers_receiveddispatch WHERE dispatch_id = ?"
    outcome.rows_missing += rows.execute(query, (request.dispatch_id,)).fetchone() is None


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(plan: Path, output: Path) -> None:
    """Run the plan in the file `plan` and write its outcome to `output`."""
    outcome = uvloop.run(run(Plan(**json.loads(plan.read_text(encoding="utf-8")))))
    output.write_text(json.dumps(asdict(outcome)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
