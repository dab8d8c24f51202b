"""An example of a lifecycle handler, which answers for this hub's agents, so that a dispatch runs to its end.

With the file on the Python path, FEDHUB_HANDLERS names its class: `docs.echo_agents.EchoAgents` from the root of this
repository. It calls no model: it answers with the text that it received, and reports the number of words as its usage.
Your own handler does its work in the same methods. Handlers get the work for agents that staff registered by hand, and
work that names no agent; discovered agents do their own work where FEDHUB_HANDLERS names `peers.handlers.A2aAgents`
too.
"""

from __future__ import annotations

import logging

from django.conf import settings

from peers.protocol import Federation, JsonObject, on_budget_warning, on_federation_callback, on_federation_received
from peers.services.inbox.handler_events import ReceivedCallback, ReceivedEnvelope
from peers.services.inbox.work_progress import complete, report_progress, report_usage

logger = logging.getLogger(__name__)


@Federation(server_url=settings.FEDHUB_SERVER_URL)
class EchoAgents:
    """Works on each received intent at once: reports progress and usage, then completes it with an attestation.

    A step may run again after a crash. The keys make sure that the peer gets each report once.
    """

    @on_federation_received
    def answer(self, envelope: ReceivedEnvelope) -> None:
        """Answer in the name of the agent that the envelope names."""
        agent = envelope.agent_id or "this hub"
        text = f"{envelope.intent_title} {envelope.intent_description}".strip()
        usage: JsonObject = {"llm_tokens": len(text.split()), "cost_usd": 0.0}
        report_progress(envelope.received_id, state_delta={"status": "working", "agent": agent}, key="working")
        report_usage(envelope.received_id, usage=usage)
        complete(envelope.received_id, state_delta={"status": "done", "answer": f"{agent}: {text}"}, usage=usage)

    @on_federation_callback
    def note_callback(self, callback: ReceivedCallback) -> None:
        """Log the callback of a peer about a dispatch of this hub."""
        logger.info("Dispatch %s: %s (attempt %d)", callback.dispatch_id, callback.event_type, callback.attempt)

    @on_budget_warning
    def note_warning(self, warning: ReceivedCallback) -> None:
        """Log a budget warning, from a peer or from this hub."""
        usage = warning.attestation.usage if warning.attestation else {}
        logger.warning("Dispatch %s nears a budget: %s", warning.dispatch_id, usage)
