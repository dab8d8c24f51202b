"""What the soak remembers and reads at its end, as plain records; times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a part of the hub was away: a server was stopped, or a process was killed."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync job of a federation; a time is None if the job has not begun or ended."""

    id: str
    federation: str
    trigger: str
    status: str
    started: float | None
    finished: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row that a worker works on: whether it has ended, whether it is due, and whether it holds a lease."""

    kind: str
    id: str
    state: str
    has_ended: bool
    is_due: bool
    is_leased: bool


@dataclass(frozen=True, slots=True)
class Content:
    """What a runtime is, in the cloud or in the registry: its version, its description and the names of its items."""

    protocol: str
    version: str
    description: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """One stored dispatch of a hub.

    `ends` counts the callbacks that ended it, `receipts` the rows of the other hub for it.
    """

    id: str
    status: str
    ends: int
    receipts: int
    has_finished: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent; `ends` counts the events that ended it."""

    id: str
    state: str
    ends: int
    error: str


@dataclass
class Asked:
    """The requests of one kind: the ids that were answered with success, and the number without such an answer."""

    answered: set[str] = field(default_factory=set)
    unanswered: int = 0


@dataclass
class Evidence:
    """All that the checks compare. `began` and `ended` bound the time in which the schedules had to hold.

    `stored` and `wanted` are the contents by account and ARN.
    """

    began: float
    ended: float
    federations: dict[str, str]
    syncs: list[Sync]
    outages: list[Outage]
    waiting: list[Waiting]
    stored: dict[str, dict[str, Content]]
    wanted: dict[str, dict[str, Content]]
    sent: list[Sent]
    asked: Asked
    runs: list[Run]
    asked_runs: Asked
