"""Counts of events in the memory of this process; `core.figures` adds them to those of all processes.

A count is declared once, at the top of the module that counts. A label's values must be few and must not name a peer, a
federation or a person, because they are shown to programs that may see figures alone.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

Values = tuple[str, ...]
Key = tuple[str, Values]
"""The name of a series and the values of its labels."""

SUM, BUCKET = "_sum", "_bucket"
OTHER = "other"
_LABEL_VALUE = re.compile(r"[A-Za-z0-9_.+-]{1,60}")

_lock = Lock()
_added: defaultdict[Key, float] = defaultdict(float)
_latest: dict[str, float] = {}
_wake: list[Callable[[], None]] = []
DECLARED: dict[str, Count | Spread | Latest] = {}


@dataclass(frozen=True, slots=True)
class Count:
    """A number that only grows, for each combination of the values of `labels`; the name ends in `_total`."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        DECLARED[self.name] = self

    def add(self, *values: str, amount: float = 1) -> None:
        """Add `amount` to the number of these label values."""
        _add({(self.name, _clean(values)): amount})


@dataclass(frozen=True, slots=True)
class Spread:
    """How often a value was at most each of `bounds`, and the sum of the values: a histogram of Prometheus."""

    name: str
    text: str
    bounds: tuple[float, ...]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        DECLARED[self.name] = self

    def observe(self, value: float, *values: str) -> None:
        """Count `value` in the lowest bucket that holds it."""
        place = bisect_left(self.bounds, value)
        bound = f"{self.bounds[place]:g}" if place < len(self.bounds) else "+Inf"
        labels = _clean(values)
        _add({(self.name + BUCKET, (*labels, bound)): 1, (self.name + SUM, labels): value})


@dataclass(frozen=True, slots=True)
class Latest:
    """A number of which only the last one that any process has seen is kept, with its time."""

    name: str
    text: str

    def __post_init__(self) -> None:
        DECLARED[self.name] = self

    def set(self, value: float) -> None:
        """Replace the number."""
        with _lock:
            _latest[self.name] = value
        _notify()


def take_all() -> tuple[dict[Key, float], dict[str, float]]:
    """Return what was added and set since the last call, and forget it."""
    with _lock:
        added, latest = dict(_added), dict(_latest)
        _added.clear()
        _latest.clear()
    return added, latest


def give_back(added: dict[Key, float]) -> None:
    """Add counts again that could not be stored."""
    _sum_up(added)


def on_change(callback: Callable[[], None]) -> None:
    """Call `callback` at each change from now on, in the thread of the change."""
    _wake[:] = [callback]


def _add(amounts: Mapping[Key, float]) -> None:
    _sum_up(amounts)
    _notify()


def _sum_up(amounts: Mapping[Key, float]) -> None:
    with _lock:
        for key, amount in amounts.items():
            _added[key] += amount


def _notify() -> None:
    for callback in _wake:
        callback()


@lru_cache(maxsize=256)
def _clean(values: Values) -> Values:
    return tuple(value if _LABEL_VALUE.fullmatch(value) else OTHER for value in values)


def _start_anew() -> None:
    """Forget the parent's counts in a forked child: the parent stores them."""
    global _lock
    _lock = Lock()
    _added.clear()
    _latest.clear()


os.register_at_fork(after_in_child=_start_anew)
