"""A PostgreSQL cluster and a Redis server of this machine that can be stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis

from tests.contract.peer_hubs import free_port
from tests.stores.postgresql import INITDB, SETTINGS, binary_folder
from tests.stores.servers import MissingServerError

START_SECONDS = 30.0
STOP_SECONDS = 20.0
DATABASE = "fedhub"
# A crash of PostgreSQL must lose nothing that was committed, as on a deployment: only a crash of the machine may.
POSTGRESQL = tuple(setting for setting in SETTINGS if not setting.startswith("synchronous_commit"))


class StoppableServer(ABC):
    """A server in a process of its own; `start` returns once it answers, and `stop` ends it as its service would."""

    name = ""
    stop_signal = signal.SIGTERM
    crash_signal = signal.SIGKILL

    def __init__(self) -> None:
        # Not below the folder of the soak: another user may run the server and must enter its folder.
        self.folder = Path(tempfile.mkdtemp(prefix=f"fedhub-soak-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the id of the server's process, 0 while it is stopped."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the server and wait until it answers; raises RuntimeError after 30 s."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.owner(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                log_text = (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{self.name} did not start; its log ends:\n{log_text[-2000:]}")
            time.sleep(0.05)

    def stop(self, *, by_crash: bool = False) -> None:
        """Stop the server and wait for its end; kill it after 20 s. `by_crash` leaves it no time to end well."""
        if self._process is None:
            return
        self._process.send_signal(self.crash_signal if by_crash else self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the command that runs the server in the foreground."""

    def owner(self) -> dict[str, Any]:
        """Return the arguments of Popen that choose the user of the server."""
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server serves requests."""


class Postgresql(StoppableServer):
    """A cluster with one database. It listens on a socket in its folder, which its owner alone may enter."""

    name = "postgresql"
    # PostgreSQL's fast shutdown: it ends open connections and rolls their transactions back.
    stop_signal = signal.SIGINT
    # The immediate shutdown, which also ends the server's children: the next start recovers from the log.
    crash_signal = signal.SIGQUIT

    def __init__(self) -> None:
        binaries = binary_folder()
        if binaries is None:
            raise MissingServerError("No PostgreSQL found. Install version 15 or later: apt install postgresql")
        self._binaries = binaries
        super().__init__()
        folder = self.folder
        if self.owner():
            shutil.chown(folder, "postgres", "postgres")
        arguments = [f"{binaries}/initdb", "-D", f"{folder}/data", *INITDB]
        subprocess.run(arguments, check=True, capture_output=True, cwd=folder, **self.owner())
        self.start()
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())

    @property
    def url(self) -> str:
        """Return the URL of the hub's database."""
        return self._url(DATABASE)

    def _url(self, database: str) -> str:
        return f"postgres://fedhub@{quote(str(self.folder), safe='')}/{database}"

    def command(self) -> Sequence[str]:
        """Return the command of the server."""
        options = [f"-c{setting}" for setting in POSTGRESQL]
        return [f"{self._binaries}/postgres", "-D", f"{self.folder}/data", "-k", f"{self.folder}", *options]

    def owner(self) -> dict[str, Any]:
        """Return Debian's user of the server, which refuses to run as root."""
        return {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}

    def answers(self) -> bool:
        """Tell whether the server serves requests."""
        ready = [f"{self._binaries}/pg_isready", "-q", "-h", f"{self.folder}"]
        return subprocess.run(ready, check=False).returncode == 0


class Redis(StoppableServer):
    """A Redis server on a port of loopback that keeps nothing: after a stop all messages are lost."""

    name = "redis"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        """Return the URL for Celery."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        """Return the command of the server, with the options of `deploy/compose.yaml`."""
        listening = ("--bind", "127.0.0.1", "--port", str(self.port))
        return ("redis-server", *listening, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")

    def answers(self) -> bool:
        """Tell whether the server serves requests."""
        try:
            return bool(redis.Redis(port=self.port, socket_timeout=1).ping())
        except redis.RedisError:
            return False
