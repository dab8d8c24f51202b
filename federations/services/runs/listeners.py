"""The listeners to the events of runs, and the gates before their start, which other apps register."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from federations.models import AgentRun, AgentRunEvent

Listener = Callable[[AgentRun, Sequence[AgentRunEvent]], None]

Gate = Callable[[AgentRun], str]

_listeners: list[Listener] = []
_gates: list[Gate] = []


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


def register_gate(gate: Gate) -> None:
    """Ask `gate(run)` before a worker sends a message that waited; a text that it returns ends the run as failed."""
    if gate not in _gates:
        _gates.append(gate)


def why_not_started(run: AgentRun) -> str:
    """Return the first reason of a gate why the run may not go on; "" if it may."""
    return next((reason for gate in tuple(_gates) if (reason := gate(run))), "")


def notify(run: AgentRun, events: Sequence[AgentRunEvent]) -> None:
    """Call every listener with events of one run that were stored in the open unit of work."""
    if events:
        for listener in tuple(_listeners):
            listener(run, events)
