"""The listeners to the events of runs, which other apps register."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from federations.models import AgentRun, AgentRunEvent

Listener = Callable[[AgentRun, Sequence[AgentRunEvent]], None]

_listeners: list[Listener] = []


def register_listener(listener: Listener) -> None:
    """Call `listener(run, events)` for all further events of all runs; an app registers it in `AppConfig.ready`.

    The listener is called inside the unit of work that stores the events, after they are stored: what it writes is
    stored with them or not at all. It must not use the network. An exception of the listener undoes the events. The
    unit of work may run again after a lost race, and then the listener is called again.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def remove_listener(listener: Listener) -> None:
    """Call `listener` no more."""
    if listener in _listeners:
        _listeners.remove(listener)


def notify(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
    """Call every listener with events of one run that were stored in the open unit of work."""
    if events:
        for listener in tuple(_listeners):
            listener(run, events)
