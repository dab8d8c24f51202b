"""Which events of a run are written at once, and which wait for a later one that replaces them."""

from __future__ import annotations

from collections.abc import Iterable

from federations.runs.bounds import EVENTS
from federations.runs.progress import NewEvent
from federations.runs.states import EventKind

PAUSE_SECONDS = 1.0


class Recorder:
    """Lets pass what must be written, so that an agent that sends very much costs at most a write a second and kind.

    The first 1,000 events of a run are written as they come, except for the chunks of an artifact that another chunk
    follows. What is held back is written with the first events after a second, or with the end. `sequence` is the
    number of events that the run has already.
    """

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self._held: dict[tuple[EventKind, str], NewEvent] = {}
        self._written_at: dict[EventKind, float] = {}

    def pick(self, events: Iterable[NewEvent], now: float, *, is_last: bool = False) -> list[NewEvent]:
        """Return the events to write at the monotonic time `now`, in order. With `is_last` nothing is held back."""
        picked: list[NewEvent] = []
        for event in events:
            self._held.pop(event.key, None)
            if event.is_partial or self._sequence + len(picked) >= EVENTS:
                self._held[event.key] = event
            else:
                picked.append(event)
        ready = [key for key, event in self._held.items() if is_last or self._is_due(event, now)]
        for key in ready:
            event = self._held.pop(key)
            self._written_at[event.kind] = now
            picked.append(event)
        self._sequence += len(picked)
        return picked

    def _is_due(self, event: NewEvent, now: float) -> bool:
        return now - self._written_at.get(event.kind, now - PAUSE_SECONDS) >= PAUSE_SECONDS
