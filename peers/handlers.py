"""The example of a lifecycle handler: it answers for this hub's agents, so that a dispatch can be followed to its end.

Named in FEDHUB_HANDLERS as `peers.handlers.EchoAgents`. It asks no model: like the sandbox's agents it answers with
what it was told, and reports its usage from that. A handler of your own does its work in the same places.
"""

from __future__ import annotations

import logging

from django.conf import settings

from peers.protocol import Federation, JsonObject, on_budget_warning, on_federation_callback, on_federation_received
from peers.services.inbox.handlers import ReceivedCallback, ReceivedEnvelope
from peers.services.inbox.work import complete, report_progress, report_usage

logger = logging.getLogger(__name__)


@Federation(server_url=settings.FEDHUB_SERVER_URL)
class EchoAgents:
    """Works on each received intent at once: a first delta, the usage, and the end with an attestation.

    Each step may run again after a crash: the keys make the peer hear it once.
    """

    @on_federation_received
    def answer(self, envelope: ReceivedEnvelope) -> None:
        """Answer in the name of the agent that the envelope asks for."""
        agent = envelope.agent_id or "this hub"
        text = f"{envelope.intent_title} {envelope.intent_description}".strip()
        usage: JsonObject = {"llm_tokens": len(text.split()), "cost_usd": 0.0}
        report_progress(envelope.received_id, state_delta={"status": "working", "agent": agent}, key="working")
        report_usage(envelope.received_id, usage=usage)
        complete(envelope.received_id, state_delta={"status": "done", "answer": f"{agent}: {text}"}, usage=usage)

    @on_federation_callback
    def note_callback(self, callback: ReceivedCallback) -> None:
        """Write what a peer reports about our own dispatches to the log."""
        logger.info("Dispatch %s: %s (attempt %d)", callback.dispatch_id, callback.event_type, callback.attempt)

    @on_budget_warning
    def note_warning(self, warning: ReceivedCallback) -> None:
        """Write budget warnings to the log, those of peers and our own."""
        usage = warning.attestation.usage if warning.attestation else {}
        logger.warning("Dispatch %s nears a budget: %s", warning.dispatch_id, usage)
