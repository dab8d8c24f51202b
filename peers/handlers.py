"""The lifecycle handler that gives received work to the discovered agents that it names.

`FEDHUB_HANDLERS` is by default `peers.handlers.A2aAgents`. `docs/echo_agents.py` shows how to write a class of one's
own for the other work.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings

from peers.protocol import Federation, on_federation_received
from peers.services.agent_work.begin import begin_work
from peers.services.inbox.handler_events import ReceivedEnvelope


@Federation(server_url=settings.FEDHUB_SERVER_URL)
class A2aAgents:
    """Makes one run for each received dispatch whose agent a federation discovered; the run's events are reported."""

    takes_discovered_agents: ClassVar[bool] = True
    """This class takes the dispatches of discovered agents and no other."""

    @on_federation_received
    def begin(self, envelope: ReceivedEnvelope) -> None:
        """Make the run; a worker of the queue `agents` does the rest."""
        begin_work(envelope.received_id)
