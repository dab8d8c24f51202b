"""Child processes that the runner starts and stops together.

Each child has its own session. Ctrl-C in the terminal therefore reaches only the runner, which then stops its children,
and a child can be killed together with the processes that it started. If the runner is killed with SIGKILL, Linux sends
each child the signal of PR_SET_PDEATHSIG (prctl(2)); on other systems the children keep running.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.private_files import create_private_file, make_private_folder

# Celery's warm shutdown takes up to 3 s plus the rest of the running task. All children must stop within 10 s, also on
# a busy machine.
STOP_SECONDS = 7.0
PR_SET_PDEATHSIG = 1


class ProcessDiedError(Exception):
    """A child process ended by itself; the message names the process and has the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that the demo runs, and the `name` of its process in logs and messages."""

    name: str
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Child:
    """A process that `start` started; `log` is the file that has the output of the process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def start(command: Command, *, environ: Mapping[str, str], log_folder: Path) -> Child:
    """Start `command`, which writes its output to a log in `log_folder`."""
    make_private_folder(log_folder)
    log = log_folder / f"{command.name}.log"
    with open(log, "wb", opener=create_private_file) as output:
        process = subprocess.Popen(  # noqa: S603 (fixed commands of this package)
            command.arguments,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()),  # safe: the runner has one thread
        )
    return Child(command.name, process, log)


def check_alive(children: Sequence[Child]) -> None:
    """Raise ProcessDiedError for the first child that has ended."""
    for child in children:
        code = child.process.poll()
        if code is not None:
            reason = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise ProcessDiedError(f"{child.name} stopped ({reason}). {child.log} ends:\n{child.log_tail()}")


def output_of(command: Command, *, environ: Mapping[str, str], watched: Sequence[Child], seconds: float = 120) -> str:
    """Run `command` to its end and return its output.

    Raises ProcessDiedError if it fails or takes longer than `seconds`, and as soon as a `watched` child ends.
    """
    process = subprocess.Popen(  # noqa: S603 (fixed commands of this package)
        command.arguments,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent(os.getpid()),  # safe: the runner has one thread
    )
    deadline = time.monotonic() + seconds
    try:
        while True:
            check_alive(watched)
            with suppress(subprocess.TimeoutExpired):
                output, errors = process.communicate(timeout=0.1)
                break
            if time.monotonic() > deadline:
                raise ProcessDiedError(f"{command.name} did not end within {seconds:.0f} s.")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
    if process.returncode:
        lines = errors.decode(errors="replace").splitlines()[-15:]
        raise ProcessDiedError("\n".join([f"{command.name} failed:", *lines]))
    return output.decode()


def stop(children: Sequence[Child]) -> None:
    """Send SIGTERM to all children, kill those that still run after 7 seconds, and wait for each."""
    for child in children:
        # Only the child gets the signal; it stops its own processes in its own order.
        child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(child.process.poll() is None for child in children):
        time.sleep(0.05)
    for child in children:
        # The group is killed even if the child has ended, because its own children may still run.
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # If the parent died before the line above, the signal never comes.
        if os.getppid() != parent:
            os._exit(1)

    return prepare
