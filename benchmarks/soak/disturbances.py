"""The kills and stops of a soak, drawn from its seed, with the times of the stops."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.soak.records import Outage
from benchmarks.soak.servers import StoppableServer
from benchmarks.soak.stack import PROGRAMS, Stack

# After a server is back, its clients connect again within this time.
RECONNECT_SECONDS = 10.0
# The time that a killed program may take from a schedule, beyond the interval: the message for a job is lost with its
# worker, and the sweep sends another one after 30 s; or the worker dies at work, and its lease of 10 s must lapse.
GRACE_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Stop:
    """A planned stop of a server, `at` seconds after the start; `by_crash` leaves the server no time to end well."""

    at: float
    server: str
    by_crash: bool


def plan_stops(seconds: float, times: int) -> list[Stop]:
    """Return `times` stops of each server at even distances; every second stop of a server is a crash."""
    order = ("redis", "postgresql") * times
    distance = seconds / (len(order) + 1)
    return [Stop(distance * (place + 1), server, place % 4 >= 2) for place, server in enumerate(order)]


def plan_kills(seconds: float, distance: float, chance: random.Random) -> list[tuple[float, str]]:
    """Return the times and programs of the kills, `distance` apart; each program comes before one comes again."""
    planned: list[tuple[float, str]] = []
    left: list[str] = []
    while (at := distance * (len(planned) + 0.5)) < seconds - distance / 2:
        if not left:
            left = chance.sample(PROGRAMS, len(PROGRAMS))
        planned.append((at, left.pop()))
    return planned


@dataclass
class Disturbances:
    """Does what was planned, and remembers each outage of a server, which is away for `stopped_seconds`.

    A kill is not an outage: the other programs must do without the killed one.
    """

    stack: Stack
    stops: list[Stop]
    kills: list[tuple[float, str]]
    stopped_seconds: float
    outages: list[Outage] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)

    def run(self, is_over: threading.Event) -> None:
        """Do all kills and stops in the order of their times, until none is left or `is_over` is set."""
        began = time.monotonic()
        planned = sorted([(stop.at, stop) for stop in self.stops] + list(self.kills), key=lambda item: item[0])
        for at, what in planned:
            if is_over.wait(max(0.0, began + at - time.monotonic())):
                return
            if isinstance(what, Stop):
                self._stop(what)
            else:
                self._kill(what)

    def _stop(self, stop: Stop) -> None:
        servers: dict[str, StoppableServer] = {"redis": self.stack.redis, "postgresql": self.stack.postgresql}
        server, began = servers[stop.server], time.time()
        server.stop(by_crash=stop.by_crash)
        time.sleep(self.stopped_seconds)
        try:
            server.start()
        except RuntimeError as exc:
            self.seen.append(str(exc))
        self.outages.append(Outage(stop.server, began, time.time() + RECONNECT_SECONDS))

    def _kill(self, program: str) -> None:
        self.stack.supervisor.kill(program)
        self.killed[program] += 1
