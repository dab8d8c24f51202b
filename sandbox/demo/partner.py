"""The second hub of the demo: its processes, and the steps that need its own environment.

`python -m sandbox.demo.partner STEP OTHER_URL SINCE`, with the environment of the second hub, runs one step and prints
its result as JSON.
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

from sandbox.demo.addresses import Addresses
from sandbox.demo.child_processes import Child, Command, output_of
from sandbox.demo.hub_commands import web_command, worker_command

PREPARE, CONNECT = "prepare", "connect"
WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Partner:
    """The facts about the second hub that `prepare_partner` returns and the summary box prints.

    `environ_file` is a file that sets the second hub's variables. `password` is that of the staff user, None if a
    person changed it. `fingerprint` is SHA-256 of the second hub's key. `agent_id` is an agent of the second hub.
    """

    url: str
    environ_file: Path
    password: str | None
    fingerprint: str
    agent_id: str


def commands(addresses: Addresses) -> tuple[Command, Command]:
    """Return the commands of the second hub's processes: web, and a worker that also runs the beat."""
    return (
        web_command("partner-web", port=addresses.partner_port),
        # Two processes: the runs of agents occupy one of them while they last.
        worker_command("partner-worker", "--beat", "-c", "2"),
    )


def prepare_partner(addresses: Addresses, var_dir: Path) -> Partner:
    """Prepare the second hub in the same way as the first; raises ProcessDiedError."""
    found = _run_step(PREPARE, addresses, var_dir, since=None, watched=())
    environ_file = var_dir / "demo" / "env"
    return Partner(addresses.partner_url, environ_file, found["password"], found["fingerprint"], found["agent_id"])


def connect_partner(addresses: Addresses, var_dir: Path, *, since: datetime, watched: Sequence[Child]) -> bool:
    """Wait until the second hub works, make it fetch the first hub's documents, and sync its federation once.

    Returns whether the first hub is still a proposed peer there. Raises ProcessDiedError.
    """
    return bool(_run_step(CONNECT, addresses, var_dir, since=since, watched=watched)["awaits_approval"])


def _run_step(
    step: str, addresses: Addresses, var_dir: Path, *, since: datetime | None, watched: Sequence[Child]
) -> dict[str, str]:
    arguments = (step, addresses.hub_url, since.isoformat() if since else "")
    command = Command(f"partner's {step}", (sys.executable, "-m", "sandbox.demo.partner", *arguments))
    found: dict[str, str] = json.loads(
        output_of(command, environ={**os.environ, **addresses.partner_environ(var_dir)}, watched=watched)
    )
    return found


def _prepare(other_url: str) -> dict[str, object]:
    from django.conf import settings

    from sandbox.demo.prepare_hub import AGENT_ID, prepare
    from sandbox.runtime_seeds import SHARED

    variables = {name: os.environ[name] for name in Addresses(0, 0, 0).partner_environ(settings.VAR_DIR)}
    # Runtimes that trust the tokens of the first hub would refuse those of the second one.
    prepared = prepare(settings.VAR_DIR / "demo", variables, other_url=other_url, tags_filter=SHARED)
    return {**asdict(prepared), "agent_id": AGENT_ID}


def _connect(other_url: str, since: str) -> dict[str, object]:
    from core.jobs.queue import enqueue
    from sandbox.demo import health_checks
    from sandbox.demo.prepare_hub import fetch_peer_documents, sync_once

    enqueue("federations.sweep")
    _wait_until(lambda: health_checks.queue_is_drained("sweep"), "worker")
    _wait_until(lambda: health_checks.beat_has_scheduled(datetime.fromisoformat(since)), "beat")
    awaits_approval = fetch_peer_documents(other_url)
    sync_once()
    return {"awaits_approval": awaits_approval}


def _wait_until(probe: Callable[[], bool], part: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            sys.exit(f"The second hub's {part} did not work within {WAIT_SECONDS} s; see partner-worker.log.")
        time.sleep(0.1)


def main() -> None:
    """Run the step that the arguments name, with the settings of the environment."""
    step, other_url, since = sys.argv[1:]
    django.setup()
    sys.stdout.write(json.dumps(_prepare(other_url) if step == PREPARE else _connect(other_url, since)))


if __name__ == "__main__":
    main()
