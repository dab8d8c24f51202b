"""Run the demo: `python -m sandbox.demo`.

The runner prepares the databases, and starts sandbox, web, three workers, beat, and a second hub as a peer. It prints
a box once each process works. Ctrl-C and SIGTERM stop all processes. If one process ends by itself, the runner stops
the others.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from rich.console import Console

from core.private_files import restrict_umask
from sandbox.demo import partner
from sandbox.demo.addresses import REMOVED_AWS_VARIABLES, Addresses, PortBusyError, find_addresses
from sandbox.demo.child_processes import Child, Command, ProcessDiedError, check_alive, start, stop
from sandbox.demo.hub_commands import beat_command, web_command, worker_command

# The box holds commands to copy. Without a terminal the box is wide enough to keep each command on one line.
WIDTH_WITHOUT_TERMINAL = 140


def main() -> int:
    """Run until a signal or an error; return the exit code."""
    restrict_umask()
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)
    # Both signals act like Ctrl-C, so that the children also stop after a `kill` and when the terminal closes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        addresses = find_addresses()
        _set_environment(addresses)
        with suppress(KeyboardInterrupt):
            return _run(console, addresses)
    except (PortBusyError, ImproperlyConfigured) as exc:
        console.print(str(exc), style="red", markup=False)
        return 1
    console.print("Stopped.")
    return 0


def _set_environment(addresses: Addresses) -> None:
    """Set the demo's variables for this process and its children, and start Django."""
    for name in REMOVED_AWS_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(addresses.environ())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fedhub.settings")
    django.setup()


def _run(console: Console, addresses: Addresses) -> int:
    from django.conf import settings

    from core.errors import HubError
    from sandbox.demo.health_checks import NotHealthyError
    from sandbox.demo.prepare_hub import prepare
    from sandbox.demo.summary_box import make_box, peer_lines

    folder, log_folder = settings.VAR_DIR / "demo", settings.VAR_DIR / "log"
    partner_dir = settings.VAR_DIR.resolve() / "partner"
    children: list[Child] = []
    try:
        console.print("Preparing the databases …")
        # The folder is included, because a shell that read the partner's file before has the partner's folder.
        variables = addresses.environ() | {"FEDHUB_VAR_DIR": str(settings.VAR_DIR.resolve())}
        prepared = prepare(folder, variables, other_url=addresses.partner_url)
        peer = partner.prepare_partner(addresses, partner_dir)
        console.print("Starting sandbox, web, workers, beat and a partner …")
        _start_hub(children, addresses, folder, log_folder)
        awaits_approval = _start_partner(children, addresses, partner_dir, log_folder)
        lines = peer_lines(addresses, prepared, peer, awaits_approval=awaits_approval)
        console.print(
            make_box(addresses, prepared, log_folder=log_folder, environ_file=folder / "env", peer_lines=lines)
        )
        while True:
            check_alive(children)
            time.sleep(0.2)
    except (ProcessDiedError, NotHealthyError, HubError) as exc:
        console.print(f"{exc}\nStopping the other processes.", style="red", markup=False)
        return 1
    finally:
        # A second Ctrl-C must not interrupt the stop of the children.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop(children)


def _start_hub(children: list[Child], addresses: Addresses, folder: Path, log_folder: Path) -> None:
    """Start the processes, append each to `children` so that the caller can stop it, and wait until each works."""
    from django.utils import timezone

    from core.jobs.queue import enqueue
    from sandbox.demo import health_checks

    started_at = timezone.now()
    for command in _commands(addresses, folder):
        children.append(start(command, environ=os.environ, log_folder=log_folder))
    sandbox, web, sync_worker, peers_worker, agents_worker, beat = children
    health_checks.wait_until(
        lambda: health_checks.answers(f"{addresses.sandbox_url}/_sandbox/health"), sandbox, watched=children
    )
    health_checks.wait_until(lambda: health_checks.answers(f"{addresses.hub_url}/healthz"), web, watched=children)
    # A job that does not exist, and no due run: the workers take the messages and do nothing.
    enqueue("federations.run_job", "0" * 24)
    enqueue("federations.sweep")
    enqueue("federations.run_agents")
    for queue, worker in (("sync", sync_worker), ("sweep", peers_worker), ("agents", agents_worker)):
        health_checks.wait_until(partial(health_checks.queue_is_drained, queue), worker, watched=children)
    health_checks.wait_until(lambda: health_checks.beat_has_scheduled(started_at), beat, watched=children)


def _start_partner(children: list[Child], addresses: Addresses, var_dir: Path, log_folder: Path) -> bool:
    """Start the second hub, append its processes to `children`, and make each hub fetch the other's documents.

    Returns whether one of the hubs still has the other as a proposed peer.
    """
    from django.utils import timezone

    from sandbox.demo import health_checks
    from sandbox.demo.prepare_hub import fetch_peer_documents

    started_at = timezone.now()
    environ = {**os.environ, **addresses.partner_environ(var_dir)}
    for command in partner.commands(addresses):
        children.append(start(command, environ=environ, log_folder=log_folder))
    web = children[-2]
    health_checks.wait_until(lambda: health_checks.answers(f"{addresses.partner_url}/healthz"), web, watched=children)
    awaits_approval = fetch_peer_documents(addresses.partner_url)
    return partner.connect_partner(addresses, var_dir, since=started_at, watched=children) or awaits_approval


def _commands(addresses: Addresses, folder: Path) -> tuple[Command, ...]:
    sandbox = (sys.executable, "-m", "sandbox", "--port", str(addresses.sandbox_port), "--hub-url", addresses.hub_url)
    return (
        # The hub keeps its data, so the sandbox must too: else the second run would undo the changes of the first.
        Command("sandbox", (*sandbox, "--saved-changes", str(folder / "sandbox.jsonl"))),
        web_command("web", port=addresses.hub_port),
        # Syncs, runs and handlers take long; deliveries and sweeps do not wait for them.
        worker_command("worker-sync", "-Q", "sync,handlers"),
        worker_command("worker-peers", "-Q", "peers,sweep"),
        worker_command("worker-agents", "-Q", "agents", "-c", "1"),
        beat_command("beat"),
    )


if __name__ == "__main__":
    sys.exit(main())
