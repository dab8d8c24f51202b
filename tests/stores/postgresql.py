"""A throw-away PostgreSQL cluster: a folder, a server on a socket in it, nothing left afterwards.

It listens on no port: the socket's folder is for its owner alone, so no password is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.stores.servers import MissingServerError, Server

DEBIAN = Path("/usr/lib/postgresql")
# A file system in memory, on Linux; in containers often too small for a cluster.
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
# Names sort as people expect, as they do in most clusters: a test that counts on the order of bytes fails.
INITDB = ("-U", "fedhub", "-A", "trust", "-E", "UTF8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
# The data is thrown away, so nothing need survive a crash of the machine.
SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=300")
START_SECONDS = 30
# Starts the server and ends it with whoever started this, however they end: their end of the pipe closes. SIGINT is
# PostgreSQL's "fast shutdown", which ends open connections.
GUARD = """
import shutil, signal, subprocess, sys
folder, user, *command = sys.argv[1:]
owner = {"user": user, "group": user, "extra_groups": ()} if user else {}
with open(folder + "/log", "ab") as log:
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **owner)
sys.stdin.read()
server.send_signal(signal.SIGINT)
try:
    server.wait(timeout=20)
except subprocess.TimeoutExpired:
    server.kill()
shutil.rmtree(folder, ignore_errors=True)
"""


def binary_folder() -> Path | None:
    """Return where `initdb` and `postgres` are: on the PATH or where Debian hides them; None where they are missing."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def start() -> Server:
    """Start a cluster with an empty database; raises MissingServerError without PostgreSQL on the machine."""
    binaries = binary_folder()
    if binaries is None:
        raise MissingServerError(
            "No PostgreSQL found. Install version 15 or later, for example: apt install postgresql"
        )
    folder = Path(tempfile.mkdtemp(prefix="fedhub-postgresql-", dir=MEMORY if _has_room(MEMORY) else None))
    user = _give_to_server(folder)
    owner: dict[str, Any] = {"user": user, "group": user, "extra_groups": ()} if user else {}
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *INITDB], check=True, capture_output=True, cwd=folder, **owner
    )
    options = [f"-c{setting}" for setting in SETTINGS]
    command = [f"{binaries}/postgres", "-D", f"{folder}/data", "-k", f"{folder}", *options]
    # Ctrl-C is for the tests: they still need the server to clean up.
    guard = subprocess.Popen(
        [sys.executable, "-c", GUARD, f"{folder}", user, *command], stdin=subprocess.PIPE, start_new_session=True
    )
    _wait_until_ready(binaries, folder, guard)
    return Server(f"postgres://fedhub@{quote(str(folder), safe='')}/postgres", partial(_stop, guard))


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM


def _give_to_server(folder: Path) -> str:
    """Give the folder to who shall run the server, which refuses to run as root; return who, empty for ourselves."""
    if os.geteuid() != 0:
        return ""
    shutil.chown(folder, "postgres", "postgres")
    return "postgres"


def _wait_until_ready(binaries: Path, folder: Path, guard: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run([binaries / "pg_isready", "-q", "-h", folder], check=False).returncode:
        if time.monotonic() > deadline:
            log = (folder / "log").read_text(encoding="utf-8", errors="replace")
            _stop(guard)
            raise RuntimeError(f"PostgreSQL did not start; its log ends:\n{log[-2000:]}")
        time.sleep(0.05)


def _stop(guard: subprocess.Popen[bytes]) -> None:
    assert guard.stdin is not None
    guard.stdin.close()
    guard.wait()
