"""What every throw-away database server has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class MissingServerError(Exception):
    """The server's program is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running database server: its address, and how to end it."""

    url: str
    stop: Callable[[], None]
