"""The mixed load on a hub that is not disturbed: people and programs search, list, send, sync and open pages.

Each client asks, waits for the answer, pauses a moment, and asks again. An answer without success is an error.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import statistics
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import httpx

from benchmarks.load import RECEIVE_PATH, peer_identity, peer_url
from benchmarks.receive import APPROVE
from benchmarks.soak.prepare import Prepared
from benchmarks.soak.stack import Stack
from peers.protocol import FederationEnvelope, sign_envelope, sign_request

PEERS = 10
PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 60.0
MOST_ERRORS = 20
# The clients of each kind. One client syncs, because a second sync of the same federation is refused.
CLIENTS = {"search": 2, "list": 2, "receive": 2, "admin page": 2, "sync": 1}
WORDS = ("lookup", "number", "summary of an invoice", "soak", "weather in a city", "find a supplier")
_PAGES = """
from tests.browser.rows import addresses, api_addresses
out = [list(dict.fromkeys(addresses())), list(dict.fromkeys(api_addresses()))]
"""
# Pages that act on a visit, or that ask for the password first.
LEFT_OUT = re.compile(r"/logout|/security|/sign-in|/password_change|/add-app|/confirm|\?query=")
_ADMIN = """
from django.contrib.auth.models import User
User.objects.create_superuser("admin", password="{password}")
"""


@dataclass(frozen=True, slots=True)
class KindFigures:
    """The answers of one kind: how many in how many seconds, and their times in milliseconds."""

    answers: int
    errors: int
    per_second: float
    p50_ms: float
    p95_ms: float
    longest_ms: float


@dataclass
class Mixed:
    """The clients, the time of each answer by kind, and the errors."""

    stack: Stack
    prepared: Prepared
    seed: int
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _pages: list[str] = field(default_factory=list)
    _lists: list[str] = field(default_factory=list)
    _cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    _threads: list[threading.Thread] = field(default_factory=list)
    _began: float = 0.0
    _seconds: float = 0.0

    def prepare(self) -> None:
        """Add the peers, sign a person in, and find the addresses of all pages."""
        hub = self.stack.hub
        peers = [(peer_url(number), peer_identity(number).public_key_b64) for number in range(PEERS)]
        hub.do(APPROVE.format(peers=peers))
        self._pages, self._lists = ([path for path in paths if not LEFT_OUT.search(path)] for paths in hub.do(_PAGES))
        self._cookies = self._sign_in()

    def start(self, is_over: threading.Event) -> None:
        """Let the clients ask until `is_over` is set."""
        pages, lists, bearer = self._pages, self._lists, {"Authorization": f"Bearer {self.prepared.token}"}
        html = {"Accept": "text/html"}
        asks: dict[str, tuple[dict[str, str], Callable[[httpx.Client, random.Random], httpx.Response]]] = {
            "search": (bearer, lambda client, chance: client.get("/api/v1/search", params=_search(chance))),
            "list": (bearer, lambda client, chance: client.get(chance.choice(lists))),
            "receive": ({}, self._receive),
            "admin page": (html, lambda client, chance: client.get(chance.choice(pages))),
            "sync": (bearer, self._sync),
        }
        self._began = time.monotonic()
        for kind, number in itertools.chain.from_iterable(
            ((kind, place) for place in range(count)) for kind, count in CLIENTS.items()
        ):
            headers, ask = asks[kind]
            chance = random.Random(f"{self.seed} {kind} {number}")
            arguments = (kind, headers, ask, chance, is_over)
            self._threads.append(threading.Thread(target=self._ask, args=arguments, name=f"client-{kind}-{number}"))
            self._threads[-1].start()

    def join(self) -> None:
        """Wait until the clients have ended."""
        for thread in self._threads:
            thread.join()
        self._seconds = time.monotonic() - self._began

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the figures by kind."""
        return {kind: asdict(self._figures_of(kind)) for kind in CLIENTS}

    def faults(self) -> Iterator[str]:
        """Yield each error, and each kind without an answer."""
        for kind in CLIENTS:
            yield from (f"{kind}: {error}" for error in self.errors[kind][:MOST_ERRORS])
            if len(self.errors[kind]) > MOST_ERRORS:
                yield f"{kind}: {len(self.errors[kind]) - MOST_ERRORS} further errors"
            if not self.milliseconds[kind]:
                yield f"{kind}: not one answer"

    def _figures_of(self, kind: str) -> KindFigures:
        took = self.milliseconds[kind]
        # Quantiles need two values.
        quantiles = statistics.quantiles([*took, *took] or [0.0, 0.0], n=100)
        return KindFigures(
            answers=len(took),
            errors=len(self.errors[kind]),
            per_second=round(len(took) / self._seconds, 2) if self._seconds else 0.0,
            p50_ms=round(quantiles[49], 1),
            p95_ms=round(quantiles[94], 1),
            longest_ms=round(max(took, default=0.0), 1),
        )

    # One client -------------------------------------------------------------------------------------------------------
    def _ask(
        self,
        kind: str,
        headers: dict[str, str],
        ask: Callable[[httpx.Client, random.Random], httpx.Response],
        chance: random.Random,
        is_over: threading.Event,
    ) -> None:
        with httpx.Client(
            base_url=self.stack.hub.url,
            headers=headers,
            cookies=self._cookies if kind == "admin page" else None,
            timeout=ANSWER_SECONDS,
            follow_redirects=True,
        ) as client:
            while not is_over.wait(chance.uniform(0, 2 * PAUSE_SECONDS)):
                began = time.perf_counter()
                try:
                    answer = ask(client, chance)
                except httpx.HTTPError as exc:
                    self.errors[kind].append(f"{type(exc).__name__}: {exc}")
                    continue
                self.milliseconds[kind].append((time.perf_counter() - began) * 1000)
                if answer.status_code != httpx.codes.OK or "/login/" in answer.url.path:
                    self.errors[kind].append(f"{answer.status_code} {answer.request.url.path}: {answer.text[:200]!r}")

    def _sign_in(self) -> httpx.Cookies:
        password = uuid.uuid4().hex
        self.stack.hub.do(_ADMIN.format(password=password))
        with httpx.Client(base_url=self.stack.hub.url, follow_redirects=True, timeout=ANSWER_SECONDS) as client:
            form = client.get("/admin/login/").text
            token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[0]
            fields = {"csrfmiddlewaretoken": token, "username": "admin", "password": password}
            answer = client.post("/admin/login/", data=fields)
            if answer.status_code != httpx.codes.OK or "/login/" in answer.url.path:
                raise RuntimeError(f"the sign-in failed: {answer.status_code} {answer.url}")
            return client.cookies

    def _sync(self, client: httpx.Client, chance: random.Random) -> httpx.Response:
        federation = chance.choice(self.prepared.unscheduled)
        return client.post(f"/api/v1/federations/{federation}/sync", json={})

    def _receive(self, client: httpx.Client, chance: random.Random) -> httpx.Response:
        identity, url = peer_identity(chance.randrange(PEERS)), self.stack.hub.url
        dispatch_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        envelope = FederationEnvelope(
            dispatch_id=dispatch_id,
            source_server=identity.server_url,
            target_server=url,
            intent_id="intent-1",
            intent_title="Compare three suppliers",
            intent_state={"suppliers": ["one", "two", "three"]},
            idempotency_key=dispatch_id,
            created_at=datetime.now(UTC).isoformat(),
        ).to_dict()
        body = json.dumps({**envelope, "signature": sign_envelope(identity, envelope)}).encode()
        headers = sign_request(
            identity.signing_key(),
            keyid=identity.did,
            method="POST",
            target_uri=f"{url}{RECEIVE_PATH}",
            body=body,
            created=int(time.time()),
            nonce=f"{chance.getrandbits(128):032x}",
        )
        return client.post(RECEIVE_PATH, content=body, headers={**headers, "Content-Type": "application/json"})


def _search(chance: random.Random) -> dict[str, str]:
    return {"query": chance.choice(WORDS)}
