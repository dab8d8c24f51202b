"""The checks of a message that the hub refused, as its line of the journal has them: the message is not stored."""

from __future__ import annotations

import re

from peers.models import Dispatch, JournalEntry, JournalKind, Peer
from peers.services.inbox.explain.checks import Check, Refusal, Step, checks_of_refusal
from peers.services.inbox.explain.received import state_at
from peers.services.trust.passing_lines import NOT_PROVED

# As `passing_lines.text_of` writes it.
AGENT = re.compile(r"; agent (?P<id>\S+)\Z")
_LINE = re.compile(r"Refused(?: \d+ further messages in a minute)?: (?P<reason>[^;]+)(?P<rest>.*)", re.DOTALL)


def checks_of_line(line: JournalEntry) -> list[Check]:
    """Return the checks of a refused message from its line; empty for a line about anything else."""
    found = _LINE.fullmatch(line.text) if line.kind == JournalKind.REFUSED else None
    if found is None:
        return []
    is_proven = NOT_PROVED not in found["rest"]
    is_report = bool(line.dispatch_id) and Dispatch.objects.filter(pk=line.dispatch_id).exists()
    return checks_of_refusal(Refusal(found["reason"], is_proven, is_report), _values(line, is_proven))


def _values(line: JournalEntry, is_proven: bool) -> dict[Step, str]:
    peer = Peer.objects.filter(server_url=line.peer_url).first() if line.peer_url else None
    values = {
        Step.FORM: f"The digest of the message is {line.digest}." if line.digest else "",
        Step.DISPATCH: f"Dispatch {line.dispatch_id}." if line.dispatch_id else "",
        Step.SIGNATURE: f"It proves {line.peer_url}." if is_proven else "",
        Step.AGENT: f"It names the agent {agent['id']}." if (agent := AGENT.search(line.text)) else "",
        Step.PEER: f"The peer was {state_at(peer.pk, line.at)}" if peer else "",
    }
    return {step: value for step, value in values.items() if value}
