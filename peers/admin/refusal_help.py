"""What staff can do about a refused message: a sentence, and the page on which they can change the cause."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from peers.admin.visibility_extension import may_view
from peers.models import JournalEntry, Peer, PeerState, RegisteredAgent
from peers.services.inbox.explain.causes import Place, Why
from peers.services.inbox.explain.refused import refusal_of_line
from peers.services.inbox.explain.refused_lines import RefusedLine
from peers.services.inbox.explain.since import change_since

SEND_AGAIN = "If the message is still wanted, its sender's staff can send it again."


@dataclass(frozen=True, slots=True)
class Help:
    """What was the cause and what helps, with links (text, address); the first one leads to the cause."""

    said: str
    do: str
    links: tuple[tuple[str, str], ...]


def help_for(request: HttpRequest, line: JournalEntry, reason: Why) -> Help:
    """Return what staff can do about the refusal of a journal line, with links to pages that this person may see."""
    peer = Peer.objects.filter(server_url=line.peer_url).first() if line.peer_url else None
    found = refusal_of_line(line)
    changed = change_since(found, peer) if found else ""
    if changed and peer is not None and peer.state == PeerState.APPROVED:
        changed = f"{changed} {SEND_AGAIN}"
    links = [] if changed else _cause_links(request, found, reason, peer)
    if peer is not None and request.user.has_perm("peers.view_peer"):
        anchor = f"#id_{reason.field}" if reason.field and not changed else ""
        links.append((Place.PEER.value, reverse("admin:peers_peer_change", args=[peer.pk]) + anchor))
    return Help(reason.said, changed or reason.do, tuple(dict.fromkeys(links)))


def _cause_links(
    request: HttpRequest, found: RefusedLine | None, reason: Why, peer: Peer | None
) -> list[tuple[str, str]]:
    if reason.place == Place.APPROVE and peer is not None and peer.state == PeerState.PROPOSED:
        if request.user.has_perm("peers.change_peer"):
            return [(Place.APPROVE.value, reverse("admin:peers_peer_approve", args=[peer.pk]))]
        return []
    agent = found.agent[0] if found else ""
    if reason.place != Place.AGENT or not agent:
        return []
    is_registered = RegisteredAgent.objects.filter(agent_id=agent).exists()
    model, text = ("registeredagent", "The agent") if is_registered else ("discoveredagent", Place.AGENT.value)
    if not (request.user.has_perm("peers.view_registeredagent") if is_registered else may_view(request)):
        return []
    return [(text, f"{reverse(f'admin:peers_{model}_changelist')}?{urlencode({'q': agent})}")]
