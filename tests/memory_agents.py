"""Agents in memory, which answer with the updates that a test gives them: the twin of an AgentCaller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field, replace

from federations.providers.base import AgentAddress, AgentFault, NotOfferedError, UnknownTaskError
from federations.runs.message import OutgoingMessage
from federations.runs.updates import AgentState, AgentUpdate

Step = AgentUpdate | AgentFault | float
"""An update to yield, a fault to raise, or a number of seconds to wait."""

TASK = "memory-task"


def working(text: str = "") -> AgentUpdate:
    return AgentUpdate(TASK, state=AgentState.WORKING, message=({"text": text},) if text else ())


def completed(text: str) -> AgentUpdate:
    return AgentUpdate(TASK, state=AgentState.COMPLETED, message=({"text": text},))


@dataclass(slots=True)
class MemoryAgents:
    """All agents of an account: `script` gives the steps of each message, `sent` has the messages that were sent.

    `most_at_once` is the largest number of messages that were worked on at the same time, by the agent's URL. `last` is
    the newest update of all, which a client without an update of its own returns as the task.
    """

    script: Callable[[OutgoingMessage], Iterable[Step]] = lambda message: [working(), completed("done")]
    sent: list[OutgoingMessage] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    at_once: dict[str, int] = field(default_factory=dict)
    most_at_once: dict[str, int] = field(default_factory=dict)
    last: AgentUpdate | None = None

    def client(self, address: AgentAddress) -> MemoryClient:
        """Return the client of one run."""
        return MemoryClient(self, address.url)

    async def aclose(self) -> None:
        """Close nothing."""


@dataclass(slots=True)
class MemoryClient:
    """The client of one run of the agents in memory."""

    agents: MemoryAgents
    url: str
    protocol_version: str = "1.0"
    offers_streaming: bool = True
    requests: int = 0
    last: AgentUpdate | None = None

    async def send(self, message: OutgoingMessage) -> AsyncGenerator[AgentUpdate]:
        """Yield the updates of the script."""
        self.requests += 1
        self.agents.sent.append(message)
        counts, most = self.agents.at_once, self.agents.most_at_once
        counts[self.url] = counts.get(self.url, 0) + 1
        most[self.url] = max(most.get(self.url, 0), counts[self.url])
        try:
            for step in self.agents.script(message):
                if isinstance(step, AgentFault):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                self.last = self.agents.last = step
                yield step
        finally:
            counts[self.url] -= 1

    async def subscribe(self, task_id: str) -> AsyncGenerator[AgentUpdate]:
        """Offer no second stream."""
        if task_id:
            raise NotOfferedError("the agents in memory have one stream")
        yield AgentUpdate()

    async def get_task(self, task_id: str) -> AgentUpdate:
        """Return the last update as the whole task."""
        self.requests += 1
        if (last := self.last or self.agents.last) is None:
            raise UnknownTaskError("the agent no longer knows the task")
        return replace(last, is_whole=True)

    async def find_task(self, message: OutgoingMessage) -> AgentUpdate | None:
        """Return the last update, if the message was sent."""
        return self.last if message in self.agents.sent else None

    async def cancel_task(self, task_id: str) -> AgentUpdate:
        """Cancel the task."""
        self.agents.cancelled.append(task_id)
        return AgentUpdate(TASK, state=AgentState.CANCELED)
