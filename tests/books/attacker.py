"""Proxies before two hubs: everything between the hubs passes them, and they attack the messages as planned."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.books.acts import FORGED, Act, ActKind, Message, Plan, forge

MESSAGE_PATHS = ("/api/v1/federation/receive", "/api/v1/federation/callback")
HOLD_SECONDS = 2.0
TIMEOUT_SECONDS = 20.0
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "server", "date"}
KEPT_OLD = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a hub."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class ConnectionDroppedError(Exception):
    """Raised where the attacker closes the sender's connection without an answer."""


@dataclass
class Road:
    """The way to one hub: the hub's name, where it listens, and its public origin, which is the proxy's."""

    name: str
    port: int
    origin: str
    sender: str
    old: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT_OLD))
    answered: list[Message] = field(default_factory=list)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send a request to the hub as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def deliver(self, message: Message) -> Answer:
        """Send a message to the hub."""
        return self.forward("POST", message.path, dict(message.headers), message.body)


class Attacker:
    """Attacks the first attempt of each message, as long as plans are left; each later attempt passes."""

    def __init__(self, plans: Sequence[Plan], seed: int) -> None:
        """Take the plans in their order; `seed` chooses the bytes."""
        self._plans = deque(plans)
        self._chance = random.Random(seed)
        self._lock = threading.Condition()
        self._seen: set[str] = set()
        self.acts: list[Act] = []

    @property
    def left(self) -> int:
        """Return the number of plans that are left."""
        with self._lock:
            return len(self._plans)

    def handle(self, road: Road, message: Message) -> Answer:
        """Pass a message on, attacked or not; raises ConnectionDroppedError."""
        digest = message.digest
        with self._lock:
            is_first = digest not in self._seen
            self._seen.add(digest)
            plan = self._next_plan(road) if is_first else None
        if plan is None:
            return self._pass(road, message)
        return self._attack(plan, road, message)

    def _next_plan(self, road: Road) -> Plan | None:
        """Return the next plan that can be done now, and remove it."""
        for plan in self._plans:
            if plan.kind is not ActKind.REPLAY or road.old:
                self._plans.remove(plan)
                return plan
        return None

    def _attack(self, plan: Plan, road: Road, message: Message) -> Answer:
        if plan.kind is ActKind.DROP:
            self._record(plan, road, message)
            raise ConnectionDroppedError
        if plan.kind is ActKind.LOSE_ANSWER:
            self._pass(road, message)
            self._record(plan, road, message)
            raise ConnectionDroppedError
        if plan.kind is ActKind.DOUBLE:
            answer = self._pass(road, message)
            self._send_beside(plan, road, message, message)
            return answer
        if plan.kind is ActKind.REORDER:
            return self._let_pass(plan, road, message)
        if plan.kind is ActKind.REPLAY:
            with self._lock:
                sent = self._chance.choice(list(road.old))
        else:
            with self._lock:
                sent = forge(message, plan.kind, self._chance, origin=road.origin, signer_url=road.sender)
        refusal = self._send_beside(plan, road, message, sent)
        is_instead = plan.instead and plan.kind in FORGED
        return refusal if is_instead else self._pass(road, message)

    def _send_beside(self, plan: Plan, road: Road, message: Message, sent: Message) -> Answer:
        answer = road.deliver(sent)
        self._record(plan, road, message, sent_digest=sent.digest)
        return answer

    def _pass(self, road: Road, message: Message) -> Answer:
        answer = road.deliver(message)
        if answer.status == http.client.OK:
            with self._lock:
                road.old.append(message)
                road.answered.append(message)
                self._lock.notify_all()
        return answer

    def _let_pass(self, plan: Plan, road: Road, message: Message) -> Answer:
        """Hold a message until a later one of the same kind has arrived; without one the plan is kept for later."""
        until = time.monotonic() + HOLD_SECONDS
        with self._lock:
            first = len(road.answered)
            while (other := self._later(road, message, first)) is None and time.monotonic() < until:
                self._lock.wait(until - time.monotonic())
            if other is None:
                self._plans.append(plan)
        answer = self._pass(road, message)
        if other is not None:
            self._record(plan, road, message, passed=other.digest)
        return answer

    @staticmethod
    def _later(road: Road, message: Message, first: int) -> Message | None:
        others = (other for other in road.answered[first:] if other.dispatch_id != message.dispatch_id)
        return next((other for other in others if other.created > message.created), None)

    def _record(self, plan: Plan, road: Road, message: Message, *, sent_digest: str = "", passed: str = "") -> None:
        act = Act(
            plan.kind,
            to=road.name,
            dispatch_id=message.dispatch_id,
            digest=message.digest,
            is_callback=message.is_callback,
            instead=plan.instead,
            sent_digest=sent_digest,
            passed=passed,
        )
        with self._lock:
            self.acts.append(act)


@contextmanager
def proxy(attacker: Attacker, road: Road, listen_port: int) -> Iterator[None]:
    """Run the proxy before a hub."""

    class Handler(BaseHTTPRequestHandler):
        """Passes requests on."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            try:
                if self.command == "POST" and self.path in MESSAGE_PATHS:
                    answer = attacker.handle(road, Message(self.path, headers, body))
                else:
                    answer = road.forward(self.command, self.path, headers, body)
            except (ConnectionDroppedError, OSError, http.client.HTTPException):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", listen_port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
