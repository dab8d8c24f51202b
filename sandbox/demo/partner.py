"""The second hub of the demo: its processes, and what is done in its own environment, by a process of its own.

`python -m sandbox.demo.partner STEP OTHER_URL SINCE` does one step there and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import django

from sandbox.demo.addresses import HOST, Addresses
from sandbox.demo.child_processes import Child, Command, output_of

PREPARE, GREET = "prepare", "greet"
WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Partner:
    """The second hub as the box shows it."""

    url: str
    environ_file: Path
    password: str | None
    fingerprint: str
    agent_id: str


def commands(addresses: Addresses) -> tuple[Command, Command]:
    """Return its two processes: web, and a worker with the beat in it, which spares a process."""
    granian = (sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--no-ws", "--access-log")
    web = ("--port", str(addresses.partner_port), "--workers", "1", "--blocking-threads", "4")
    celery = (sys.executable, "-m", "celery", "-A", "fedhub", "worker", "--beat", "-c", "1", "-l", "INFO")
    return (
        Command("partner-web", (*granian, *web, "fedhub.wsgi:application")),
        Command("partner-worker", (*celery, "--without-gossip", "--without-mingle", "--without-heartbeat")),
    )


def prepare_partner(addresses: Addresses, var_dir: Path) -> Partner:
    """Prepare the second hub as the first one is; raises ProcessDiedError."""
    found = _do(PREPARE, addresses, var_dir, since=None, among=())
    environ_file = var_dir / "demo" / "env"
    return Partner(addresses.partner_url, environ_file, found["password"], found["fingerprint"], found["agent_id"])


def greet(addresses: Addresses, var_dir: Path, *, since: datetime, among: Sequence[Child]) -> bool:
    """See that the second hub works, and have it look at the first; return whether the first is still undecided there.

    Raises ProcessDiedError.
    """
    return bool(_do(GREET, addresses, var_dir, since=since, among=among)["is_undecided"])


def _do(
    step: str, addresses: Addresses, var_dir: Path, *, since: datetime | None, among: Sequence[Child]
) -> dict[str, str]:
    words = (step, addresses.hub_url, since.isoformat() if since else "")
    command = Command(f"partner's {step}", (sys.executable, "-m", "sandbox.demo.partner", *words))
    found: dict[str, str] = json.loads(
        output_of(command, environ={**os.environ, **addresses.partner_environ(var_dir)}, among=among)
    )
    return found


def _prepare(other_url: str) -> dict[str, object]:
    from django.conf import settings

    from sandbox.demo.prepare_hub import AGENT_ID, prepare

    variables = {name: os.environ[name] for name in Addresses(0, 0, 0).partner_environ(settings.VAR_DIR)}
    return {**asdict(prepare(settings.VAR_DIR / "demo", variables, other_url=other_url)), "agent_id": AGENT_ID}


def _greet(other_url: str, since: str) -> dict[str, object]:
    from core.jobs.queue import enqueue
    from sandbox.demo import health_checks
    from sandbox.demo.prepare_hub import look_at, sync_once

    enqueue("federations.sweep")
    _wait_until(health_checks.queue_is_drained, "worker")
    _wait_until(lambda: health_checks.beat_has_scheduled(datetime.fromisoformat(since)), "beat")
    is_undecided = look_at(other_url)
    sync_once()
    return {"is_undecided": is_undecided}


def _wait_until(probe: Callable[[], bool], part: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            sys.exit(f"The second hub's {part} did not work within {WAIT_SECONDS} s; see partner-worker.log.")
        time.sleep(0.1)


def main() -> None:
    """Do the step that the arguments name, as the hub that the environment describes."""
    step, other_url, since = sys.argv[1:]
    django.setup()
    sys.stdout.write(json.dumps(_prepare(other_url) if step == PREPARE else _greet(other_url, since)))


if __name__ == "__main__":
    main()
