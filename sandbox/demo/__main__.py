"""Run the demo: `python -m sandbox.demo`.

Prepares the databases, starts sandbox, web, worker and beat, and a second hub as a peer, and says so once each of them
has shown that it works. Then it waits: Ctrl-C and SIGTERM stop all of them, and where one ends by itself the others
are stopped too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from rich.console import Console

from sandbox.demo import partner
from sandbox.demo.addresses import FOREIGN_AWS_VARIABLES, HOST, Addresses, PortBusyError, find_addresses
from sandbox.demo.child_processes import Child, Command, ProcessDiedError, check_alive, start, stop

# The box holds commands to copy: where there is no terminal to fold them for, they stay on one line.
WIDTH_WITHOUT_TERMINAL = 140


def main() -> int:
    """Run until stopped; return the exit code."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)
    # As Ctrl-C, and so that no child outlives a `kill` or a closed terminal.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        addresses = find_addresses()
        _take_environment(addresses)
        with suppress(KeyboardInterrupt):
            return _run(console, addresses)
    except (PortBusyError, ImproperlyConfigured) as exc:
        console.print(str(exc), style="red", markup=False)
        return 1
    console.print("Stopped.")
    return 0


def _take_environment(addresses: Addresses) -> None:
    """Give this process and its children the demo's settings, and let Django read them."""
    for name in FOREIGN_AWS_VARIABLES:
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
        # With the folder, which a shell that spoke with the partner before would not have right.
        variables = addresses.environ() | {"FEDHUB_VAR_DIR": str(settings.VAR_DIR.resolve())}
        prepared = prepare(folder, variables, other_url=addresses.partner_url)
        peer = partner.prepare_partner(addresses, partner_dir)
        console.print("Starting sandbox, web, worker, beat and a partner …")
        _start_all(children, addresses, folder, log_folder)
        is_undecided = _start_partner(children, addresses, partner_dir, log_folder)
        lines = peer_lines(addresses, prepared, peer, is_undecided=is_undecided)
        console.print(
            make_box(addresses, prepared, log_folder=log_folder, environ_file=folder / "env", peer_lines=lines)
        )
        while True:
            check_alive(children)
            time.sleep(0.2)
    except (ProcessDiedError, NotHealthyError, HubError) as exc:
        console.print(f"{exc}\nStopping the others.", style="red", markup=False)
        return 1
    finally:
        # A second Ctrl-C must not leave half of them behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop(children)


def _start_all(children: list[Child], addresses: Addresses, folder: Path, log_folder: Path) -> None:
    """Start the four into `children`, so that the caller can stop what was started, and wait until each works."""
    from django.utils import timezone

    from core.jobs.queue import enqueue
    from sandbox.demo import health_checks

    started_at = timezone.now()
    for command in _commands(addresses, folder):
        children.append(start(command, environ=os.environ, log_folder=log_folder))
    sandbox, web, worker, beat = children
    health_checks.wait_until(
        lambda: health_checks.answers(f"{addresses.sandbox_url}/_sandbox/health"), sandbox, among=children
    )
    health_checks.wait_until(lambda: health_checks.answers(f"{addresses.hub_url}/healthz"), web, among=children)
    enqueue("federations.sweep")
    health_checks.wait_until(health_checks.queue_is_drained, worker, among=children)
    health_checks.wait_until(lambda: health_checks.beat_has_scheduled(started_at), beat, among=children)


def _start_partner(children: list[Child], addresses: Addresses, var_dir: Path, log_folder: Path) -> bool:
    """Start the second hub into `children` and let the two look at each other.

    Returns whether either is still undecided about the other.
    """
    from django.utils import timezone

    from sandbox.demo import health_checks
    from sandbox.demo.prepare_hub import look_at

    started_at = timezone.now()
    environ = {**os.environ, **addresses.partner_environ(var_dir)}
    for command in partner.commands(addresses):
        children.append(start(command, environ=environ, log_folder=log_folder))
    web = children[-2]
    health_checks.wait_until(lambda: health_checks.answers(f"{addresses.partner_url}/healthz"), web, among=children)
    is_undecided = look_at(addresses.partner_url)
    return partner.greet(addresses, var_dir, since=started_at, among=children) or is_undecided


def _commands(addresses: Addresses, folder: Path) -> tuple[Command, ...]:
    celery = (sys.executable, "-m", "celery", "-A", "fedhub")
    granian = (sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--no-ws", "--access-log")
    sandbox = (sys.executable, "-m", "sandbox", "--port", str(addresses.sandbox_port))
    return (
        # The hub keeps its data, so its AWS must: else a second run would show what was changed in the first undone.
        Command("sandbox", (*sandbox, "--hub-url", addresses.hub_url, "--journal", str(folder / "sandbox.jsonl"))),
        Command(
            "web",
            # Threads for requests that wait: a sync in a request waits for the cloud. Pinned, since granian's own
            # choice grows with the machine and SQLite has one writer.
            (
                *granian,
                "--port",
                str(addresses.hub_port),
                "--workers",
                "1",
                "--blocking-threads",
                "8",
                "fedhub.wsgi:application",
            ),
        ),
        Command(
            "worker", (*celery, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO")
        ),
        Command("beat", (*celery, "beat", "--pidfile=", "-l", "INFO")),
    )


if __name__ == "__main__":
    sys.exit(main())
