"""The command lines of a hub's processes in the demo."""

from __future__ import annotations

import sys

from sandbox.demo.addresses import HOST
from sandbox.demo.child_processes import Command


def web_command(name: str, *, port: int) -> Command:
    """Return the command of the one web process: SQLite has one writer."""
    granian = (sys.executable, "-m", "granian", "--interface", "asgi", "--host", HOST, "--no-ws")
    return Command(name, (*granian, "--port", str(port), "--workers", "1", "fedhub.asgi:application"))


def worker_command(name: str, *options: str) -> Command:
    """Return the command of a worker with further `options`."""
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return _celery_command(name, "worker", *options, *alone)


def beat_command(name: str) -> Command:
    """Return the command of the beat."""
    return _celery_command(name, "beat", "--pidfile=")


def _celery_command(name: str, *arguments: str) -> Command:
    return Command(name, (sys.executable, "-m", "celery", "-A", "fedhub", *arguments, "-l", "INFO"))
