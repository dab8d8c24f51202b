"""The output of commands: a console on the command's own standard output, and progress bars."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Output that does not go to a terminal has no width of its own.
WIDTH_WITHOUT_TERMINAL = 160


def make_console(stdout: OutputWrapper) -> Console:
    """Return a console that writes to the command's output, so that `call_command(stdout=…)` receives the text."""
    # Django ends each write with a new line, which would break a progress bar.
    stdout.ending = ""
    # Markup is off because the name of a runtime may be [bold].
    width = None if stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=cast("IO[str]", stdout), width=width, highlight=False, markup=False)


def make_progress(console: Console) -> Progress:
    """Return a progress display: the current step, the finished part and the elapsed time."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def ends_at_sigterm() -> Iterator[None]:
    """Let SIGTERM leave the block as SystemExit, so that the block cleans up; the exit code is 143, as a shell's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
