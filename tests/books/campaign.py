"""A campaign of attacks: two hubs work for each other through proxies that attack a number of their messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from django.db.models import QuerySet

from peers.models import Dispatch, DispatchReceipt, JournalEntry, OutboundCallback
from tests.books.acts import Act, Plan
from tests.books.attacker import Attacker, Road, proxy
from tests.books.comparison import ENDED, Books, find_violations, read_books
from tests.contract.peer_hubs import Hub, free_port, template
from tests.contract.peer_pair import Pair

IN_FLIGHT = 24
REJECTED_EACH = 4
SETTLE_SECONDS = 120.0
QUIET_SECONDS = 2.5
VARIABLES = {
    "FEDHUB_REFUSAL_LINES": "1000",
    "FEDHUB_REFUSALS_PER_MINUTE": "100000",
    "FEDHUB_JOB_LEASE_SECONDS": "20",
    "LOG_LEVEL": "ERROR",
}
# A worker of several processes: while the attacker holds one message, others must pass it.
PROGRAMS = ("web", "worker-sync,handlers,peers,sweep", "beat")
RETRY_DEAD = """
from core.actors import Actor
from peers.models import OutboundCallback
from peers.services.outbox.dead_letters import retry_dead
for row in OutboundCallback.objects.filter(dead_at__isnull=False):
    retry_dead(row, by=Actor(id="1", name="staff"))
"""


@dataclass
class ProxiedHub(Hub):
    """A hub whose public origin is that of a proxy."""

    public_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Return the hub's public origin."""
        return f"http://{self.host}:{self.public_port}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a campaign: the acts by kind, the hubs' books, and what is wrong."""

    acts: Sequence[Act]
    books: Books
    seconds: float
    violations: list[str]

    @property
    def kinds(self) -> dict[str, int]:
        """Return the number of acts of each kind, on envelopes and on callbacks."""
        names = (f"{act.kind}, {'callback' if act.is_callback else 'envelope'}" for act in self.acts)
        return dict(sorted(Counter(names).items()))

    @property
    def rows(self) -> dict[str, int]:
        """Return the number of dispatches by status, and of lines by kind."""
        lines = [*self.books.left.lines, *self.books.right.lines]
        return {
            **Counter(f"dispatches {status}" for status in self.books.statuses.values()),
            **Counter(f"lines {line.kind}" for line in lines),
        }


@contextmanager
def attacked_pair(folder: Path, attacker: Attacker) -> Iterator[Pair]:
    """Yield two running hubs that approved each other, with a proxy before each."""
    database = template(folder / "template")
    hubs = [ProxiedHub(name, folder / name, extra=VARIABLES) for name in ("left", "right")]
    with ExitStack() as stack:
        roads = [Road(hub.name, hub.port, hub.url, other.url) for hub, other in (hubs, reversed(hubs))]
        for hub, road in zip(hubs, roads, strict=True):
            stack.enter_context(proxy(attacker, road, hub.public_port))
            stack.callback(hub.kill)
            hub.create(database)
            # Another program may have taken the port that was free before.
            road.port = hub.port = free_port()
            hub.start(*PROGRAMS)
        yield Pair(*hubs)


def run(folder: Path, plans: Sequence[Plan], *, seed: int, seconds: float) -> Outcome:
    """Dispatch until each planned act is done, at most for `seconds`, wait until all rows are settled, and compare."""
    attacker = Attacker(plans, seed)
    started = time.monotonic()
    with attacked_pair(folder, attacker) as pair:
        seen = _dispatch_all(pair, attacker, until=time.monotonic() + seconds)
        seen += _settle(pair)
        books = read_books(pair.left, pair.right, log_errors=_verify_logs(pair))
    violations = [*seen, *find_violations(books, attacker.acts)]
    return Outcome(tuple(attacker.acts), books, round(time.monotonic() - started, 1), violations)


def _dispatch_all(pair: Pair, attacker: Attacker, *, until: float) -> list[str]:
    number = 0
    while attacker.left:
        if time.monotonic() > until:
            return [f"no time for {attacker.left} acts"]
        if pair.left.stored(Dispatch).filter(finished_at=None).count() >= IN_FLIGHT:
            if dead_callbacks(pair).count() >= IN_FLIGHT / 4:
                pair.right.do(RETRY_DEAD)
            time.sleep(0.05)
            continue
        number += 1
        budget = {"max_llm_tokens": 0 if number % REJECTED_EACH == 0 else 1000}
        pair.dispatch(intent_id=f"i-{number}", federation_policy={"budget": budget})
    return []


def _settle(pair: Pair) -> list[str]:
    """Wait until all rows are settled; meanwhile try dead callbacks again, as staff do."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        is_due = pair.right.stored(OutboundCallback).filter(due_at__isnull=False).exists()
        if dead_callbacks(pair).exists() and not is_due:
            pair.right.do(RETRY_DEAD)
        if not _unsettled(pair):
            # The lines of the last refused messages are written within a second.
            time.sleep(QUIET_SECONDS)
            return []
        time.sleep(0.1)
    return [f"not settled: {_unsettled(pair)} rows wait"]


def dead_callbacks(pair: Pair) -> QuerySet[OutboundCallback]:
    """Return the callbacks that were given up: a forged one came instead of each, and was refused."""
    return pair.right.stored(OutboundCallback).filter(dead_at__isnull=False)


def _unsettled(pair: Pair) -> int:
    open_dispatches = pair.left.stored(Dispatch).exclude(status__in=ENDED).count()
    owed = pair.right.stored(OutboundCallback).filter(delivered_at=None).count()
    receipts = [hub.stored(DispatchReceipt).filter(countersignature__isnull=True) for hub in (pair.left, pair.right)]
    return open_dispatches + owed + sum(rows.count() for rows in receipts)


def _is_empty(rows: QuerySet[JournalEntry]) -> bool:
    return not rows.exists()


def _verify_logs(pair: Pair) -> dict[str, str]:
    """Seal both logs and verify them; return what was wrong with each."""
    errors = {}
    for hub in (pair.left, pair.right):
        unsealed = hub.stored(JournalEntry).filter(position=0)
        hub.wait(partial(_is_empty, unsealed), "lines are not sealed")
        try:
            hub.run("manage.py", "verify_log", "--fetch")
        except AssertionError as exc:
            errors[hub.name] = str(exc)
    return errors
