"""The checks of a message that the hub refused, as its line of the journal has them: the message is not stored."""

from __future__ import annotations

from peers.models import Dispatch, JournalEntry, JournalKind, Peer
from peers.services.inbox.explain.causes import Step, Why
from peers.services.inbox.explain.checks import Check, checks_of_refusal
from peers.services.inbox.explain.received import state_at
from peers.services.inbox.explain.refused_lines import RefusedLine, read_line


def refusal_of_line(line: JournalEntry) -> RefusedLine | None:
    """Return what a line says of refused messages; None for a line about anything else."""
    return read_line(line.text) if line.kind == JournalKind.REFUSED else None


def checks_of_line(line: JournalEntry) -> tuple[list[Check], Why | None]:
    """Return the checks of a refused message and why it was refused, from its line; none for another line."""
    found = refusal_of_line(line)
    if found is None:
        return [], None
    is_report = found.is_report or _is_about_own(line)
    reason = found.why(is_report=is_report)
    return checks_of_refusal(found.reason, reason, _values(line, found), is_report=is_report), reason


def _is_about_own(line: JournalEntry) -> bool:
    return bool(line.dispatch_id) and Dispatch.objects.filter(pk=line.dispatch_id).exists()


def _values(line: JournalEntry, found: RefusedLine) -> dict[Step, str]:
    peer = Peer.objects.filter(server_url=line.peer_url).first() if line.peer_url else None
    agent, known = found.agent
    values = {
        Step.FORM: f"The digest of the message is {line.digest}." if line.digest else "",
        Step.DISPATCH: f"Dispatch {line.dispatch_id}." if line.dispatch_id else "",
        Step.SIGNATURE: f"It proves {line.peer_url}." if found.is_proven else "",
        Step.KEY: found.key,
        Step.AGENT: f"It names the agent {agent}." if agent and not known else "",
        Step.PEER: f"The peer was {state_at(peer.pk, line.at)}" if peer else "",
    }
    return {step: value for step, value in values.items() if value}
