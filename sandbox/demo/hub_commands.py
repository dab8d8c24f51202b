"""The command lines of a hub's processes in the demo."""

from __future__ import annotations

import sys

from sandbox.demo.addresses import HOST
from sandbox.demo.child_processes import Command


def web_command(name: str, *, port: int, threads: int) -> Command:
    """Return the command of a web process.

    It has threads, because a request that syncs waits for the cloud. The numbers are fixed, because granian's defaults
    grow with the machine and SQLite has one writer.
    """
    granian = (sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--no-ws", "--access-log")
    numbers = ("--port", str(port), "--workers", "1", "--blocking-threads", str(threads))
    return Command(name, (*granian, *numbers, "fedhub.wsgi:application"))


def worker_command(name: str, *options: str) -> Command:
    """Return the command of a worker with further `options`."""
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return _celery_command(name, "worker", *options, *alone)


def beat_command(name: str) -> Command:
    """Return the command of the beat."""
    return _celery_command(name, "beat", "--pidfile=")


def _celery_command(name: str, *arguments: str) -> Command:
    return Command(name, (sys.executable, "-m", "celery", "-A", "fedhub", *arguments, "-l", "INFO"))
