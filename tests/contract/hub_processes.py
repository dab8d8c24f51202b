"""A worker and a beat in processes of their own, on this test's database and broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from tests.stores.databases import variables_of_test_database

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 3
PROGRAMS = {
    "worker": ("worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "--concurrency", "1"),
    "beat": ("beat", "--pidfile=", "--max-interval", "1"),
}


def hub_environment() -> dict[str, str]:
    """Return this environment with the test's database and with short leases and sweeps."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "fedhub.settings",
        **variables_of_test_database(),
        "FEDHUB_VAR_DIR": str(settings.VAR_DIR),
        "FEDHUB_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
        "FEDHUB_SWEEP_SECONDS": "1",
    }


@contextmanager
def running(program: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a `worker` or a `beat` in a session of its own; afterwards nothing of it is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "fedhub", *PROGRAMS[program]],
            cwd=ROOT,
            env=hub_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, as a machine that loses power would."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(probe: Callable[[], bool], log: Path, seconds: float = 40) -> None:
    """Wait until `probe` says yes; fail with the processes' log after `seconds`."""
    deadline = time.monotonic() + seconds
    while not probe():
        text = log.read_text(encoding="utf-8", errors="replace")
        assert time.monotonic() < deadline, f"nothing within {seconds} s; the log ends:\n{text[-3000:]}"
        time.sleep(0.1)
