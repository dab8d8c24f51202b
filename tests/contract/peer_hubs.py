"""Whole hubs as processes on loopback, each with its own port, database, key and broker."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from django.db.models import QuerySet

from tests.stores.databases import HubDatabase, MongodbDatabase, Row, SqliteDatabase, hub_database, rows_of
from tests.stores.migrated import FILE

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 3
WAIT_SECONDS = 60.0
WORKERS = {
    "sync,handlers": "4",
    "peers,sweep": "4",
    "handlers,peers,sweep": "2",
    "sync,handlers,peers,sweep": "3",
    "sync,handlers,peers,sweep,agents": "10",
    "agents": "1",
}
"""The number of processes of each worker that serves some queues alone."""
SETUP = "import django; django.setup(); "


def free_port() -> int:
    """Return a free port of loopback."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def template(folder: Path) -> Path:
    """Make a migrated, empty hub, whose database other hubs copy; return its folder."""
    hub = Hub("template", folder)
    if isinstance(hub.store, SqliteDatabase) and not isinstance(hub.store, MongodbDatabase):
        hub.create(_migrated_file())
    else:
        hub.store.create()
        hub.migrate()
    return folder


@cache
def _migrated_file() -> Path:
    """Return the folder of a migrated hub on SQLite: that of the test run, or one that is made once, in seconds."""
    if FILE.exists():
        return FILE.parent
    folder = Path(tempfile.mkdtemp(prefix="fedhub-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Hub("template", folder).migrate()
    return folder


@dataclass
class Hub:
    """One hub: its files under `folder`, and its running processes."""

    name: str
    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    web: str = "fedhub.asgi:application"
    worker: str = "fedhub"
    threads: int = 8
    web_processes: int = 1
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Return the hub's origin."""
        return f"http://{self.host}:{self.port}"

    @property
    def store(self) -> HubDatabase:
        """Return the hub's database."""
        return hub_database(self.folder)

    @property
    def database(self) -> Path:
        """Return the hub's database file; for a hub on SQLite."""
        return self.folder / "fedhub.sqlite3"

    @property
    def log(self) -> Path:
        """Return the log file of all its processes."""
        return self.folder / "processes.log"

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of its processes."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FEDHUB_", "TEST_"))},
            "DJANGO_SETTINGS_MODULE": "fedhub.settings",
            "FEDHUB_SERVER_URL": self.url,
            "FEDHUB_VAR_DIR": str(self.folder),
            "FEDHUB_WEB_THREADS": str(self.threads),
            **self.store.variables,
            "FEDHUB_ALLOWED_NETWORKS": "127.0.0.0/8",
            "FEDHUB_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
            "FEDHUB_SWEEP_SECONDS": "1",
            "FEDHUB_RETRY_SECONDS": "1",
            "FEDHUB_HANDLER_SECONDS": "5",
            "FEDHUB_HANDLERS": "docs.echo_agents.EchoAgents",
            **self.extra,
        }

    def create(self, other: Path) -> None:
        """Start with a copy of the database of the hub in the folder `other`."""
        self.store.create_as(other)

    def migrate(self) -> None:
        """Make the tables."""
        self.run("-m", "django", "migrate", "--verbosity", "0")

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Return the command of each program."""
        celery = (sys.executable, "-m", "celery", "-A")
        return {
            "web": (
                *(sys.executable, "-m", "granian", "--interface", "asgi", "--host", self.host, "--no-ws"),
                *("--port", str(self.port), "--workers", str(self.web_processes), self.web),
            ),
            "worker": (
                *(*celery, self.worker, "worker", "-c", "1"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
            **{
                f"worker-{queues}": (*celery, self.worker, "worker", "-c", number, "-Q", queues, "--without-heartbeat")
                for queues, number in WORKERS.items()
            },
            "beat": (*celery, "fedhub", "beat", "--pidfile=", "--max-interval", "1"),
        }

    def start(self, *programs: str) -> None:
        """Start `web`, `worker` or `beat`; return after the web process answers."""
        commands = self.commands()
        for program in programs:
            with self.log.open("ab") as output:
                self.processes[program] = subprocess.Popen(
                    commands[program],
                    cwd=ROOT,
                    env=self.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        if "web" in programs:
            self.wait(self.answers, "the web process does not answer")

    def kill(self, *programs: str) -> None:
        """Kill processes and their children at once, as a power failure does; all processes without a name."""
        for program in programs or tuple(self.processes):
            process = self.processes.pop(program)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, *arguments: str) -> str:
        """Run Python with `arguments` in this hub's environment, and return its output."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def do(self, code: str) -> Any:
        """Run code in this hub's environment, after Django's setup; return the value that it assigns to `out`."""
        text = self.run("-c", f"{SETUP}import json; out = None\n{code}\nprint(json.dumps(out, default=str))")
        return json.loads(text.splitlines()[-1])

    def stored(self, model: type[Row]) -> QuerySet[Row]:
        """Return the rows of a registry model in the hub's database; for tests with the fixture `hub_rows`."""
        return rows_of(self.folder, model)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the hub's database; for a hub on SQLite."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    def wait(self, probe: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until `probe` is true; fail with the end of the hub's log after `seconds`."""
        deadline = time.monotonic() + seconds
        while not probe():
            log = self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""
            assert time.monotonic() < deadline, f"{self.name}: {what} within {seconds:g} s; its log ends:\n{log}"
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code < 500
        except httpx.HTTPError:
            return False
