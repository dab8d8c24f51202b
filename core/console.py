"""How commands talk to people: a console on the command's own output, and progress bars."""

from __future__ import annotations

from typing import IO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Without a terminal there is no window to fold lines for.
WIDTH_WITHOUT_TERMINAL = 160


def console_on(stdout: OutputWrapper) -> Console:
    """Return a console that writes where the command does, so that `call_command(stdout=…)` gets it too."""
    # Django ends every write with a new line, which would tear a progress bar apart.
    stdout.ending = ""
    # No markup either: a runtime may be called [bold].
    width = None if stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=cast("IO[str]", stdout), width=width, highlight=False, markup=False)


def progress_on(console: Console) -> Progress:
    """Return a progress display: what is being done, how much of it, since when."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
