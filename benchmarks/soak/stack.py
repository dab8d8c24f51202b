"""The hub of the soak with all its programs, its peer, and a supervisor that starts programs again."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dj_database_url
from django.db import connections
from django.db.models import QuerySet

from benchmarks.soak.servers import Postgresql, Redis
from tests.contract.peer_hubs import Hub, template
from tests.sandbox_server import RunningSandbox
from tests.stores.databases import Row

ALIAS = "soak"
# Celery's queues of each worker, as deploy/systemd has them; each worker has two processes.
QUEUES = {"sync-1": "sync,handlers", "sync-2": "sync,handlers", "peers-1": "peers,sweep", "agents-1": "agents"}
WEBS, BEATS = ("web-1", "web-2"), ("beat-1", "beat-2")
PROGRAMS = (*WEBS, *BEATS, *QUEUES)
LEASE_SECONDS, SWEEP_SECONDS = 10, 5
WEB_THREADS = 16
# As RestartSec of deploy/systemd.
RESTART_SECONDS = 2.0
LOOK_SECONDS = 0.25


@dataclass
class SoakDatabase:
    """The database of the hub on a cluster of its own, in the form of `tests.stores.databases`."""

    url: str
    alias = ALIAS
    name = ALIAS

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead a process to it."""
        return {"DATABASE_URL": self.url}

    def create(self) -> None:
        """Do nothing: the cluster has it already."""

    def create_as(self, other: Path) -> None:
        """Do nothing: the hub migrates it."""


@dataclass
class SoakHub(Hub):
    """The hub on PostgreSQL and Redis, with the programs `PROGRAMS`."""

    database_url: str = ""

    @property
    def store(self) -> Any:
        """Return the hub's database."""
        return SoakDatabase(self.database_url)

    def stored(self, model: type[Row]) -> QuerySet[Row]:
        """Return the rows of a model in the hub's database, which the alias `soak` of this process reads."""
        return model._default_manager.using(ALIAS)

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Return the command of each program; both web processes listen on the same port, and the kernel chooses."""
        celery = (sys.executable, "-m", "celery", "-A", "fedhub")
        web = super().commands()["web"]
        return {
            **dict.fromkeys(WEBS, web),
            **dict.fromkeys(BEATS, (*celery, "beat", "--pidfile=")),
            **{
                name: (*celery, "worker", "-n", f"{name}@%h", "-c", "2", "-Q", queues)
                for name, queues in QUEUES.items()
            },
        }


@dataclass
class Supervisor:
    """Starts each program of the hub that has ended again after two seconds, as systemd and Docker do.

    `ended` counts the programs that ended without a kill of the soak. The pause keeps a killed program away for a
    moment, so that the others must do without it.
    """

    hub: SoakHub
    ended: Counter[str] = field(default_factory=Counter)
    _killed: set[int] = field(default_factory=set)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start all programs, and watch them until `close`."""
        self.hub.start(*PROGRAMS)
        self.hub.wait(self.hub.answers, "the web processes do not answer")
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self._thread.start()

    def kill(self, program: str) -> None:
        """Kill a program and its children with SIGKILL."""
        process = self.hub.processes[program]
        self._killed.add(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the watch and all programs."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
        self.hub.kill()

    def _watch(self) -> None:
        due: dict[str, float] = {}
        while not self._is_over.wait(LOOK_SECONDS):
            for program, process in list(self.hub.processes.items()):
                if process.poll() is None:
                    continue
                if program not in due:
                    due[program] = time.monotonic() + RESTART_SECONDS
                    self._note_end(program, process.pid)
                elif time.monotonic() > due[program]:
                    del due[program]
                    self.hub.start(program)

    def _note_end(self, program: str, pid: int) -> None:
        # What the main process has started may outlive it for a moment.
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if pid not in self._killed:
            self.ended[program] += 1


@dataclass
class Stack:
    """All parts of a running soak: the servers, the hub with its supervisor, the peer, and the sandbox."""

    postgresql: Postgresql
    redis: Redis
    hub: SoakHub
    peer: Hub
    sandbox: RunningSandbox
    supervisor: Supervisor


@contextmanager
def soak_stack(folder: Path, sandbox: RunningSandbox, *, interval_seconds: int) -> Iterator[Stack]:
    """Yield the running stack; afterwards nothing of it is left. The hubs do not know each other yet."""
    postgresql, redis = Postgresql(), Redis()
    hub = SoakHub(
        "hub", folder / "hub", extra=_variables(sandbox, redis, interval_seconds), database_url=postgresql.url
    )
    peer = Hub("peer", folder / "peer", {"LOG_LEVEL": "WARNING"})
    connections.settings[ALIAS] = {
        **connections.settings["default"],
        **dj_database_url.parse(postgresql.url),
        "OPTIONS": {},
    }
    supervisor = Supervisor(hub)
    try:
        with ThreadPoolExecutor(2) as pool:
            migrated = pool.submit(hub.run, "-m", "django", "migrate", "--verbosity", "0")
            peer.create(template(folder / "template"))
            migrated.result()
        peer.start("web", "worker", "beat")
        supervisor.start()
        yield Stack(postgresql, redis, hub, peer, sandbox, supervisor)
    finally:
        supervisor.close()
        peer.kill()
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]
        postgresql.close()
        redis.close()


def _variables(sandbox: RunningSandbox, redis: Redis, interval_seconds: int) -> dict[str, str]:
    return {
        **sandbox.environment,
        "CELERY_BROKER_URL": redis.url,
        "FEDHUB_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
        "FEDHUB_SWEEP_SECONDS": str(SWEEP_SECONDS),
        "FEDHUB_SHORTEST_SYNC_SECONDS": str(interval_seconds),
        "FEDHUB_HANDLERS": "peers.handlers.A2aAgents",
        "LOG_LEVEL": "WARNING",
        "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECRET_KEY": "s" * 64,
        "FEDHUB_SECRETS_KEY": "s" * 64,
        "FEDHUB_WEB_THREADS": str(WEB_THREADS),
    }
