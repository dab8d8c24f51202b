"""The page that shows an agent as another hub sees it, by the code that answers the peers' requests."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from federations.admin.catalog_view import as_json
from federations.models import A2aAgent
from peers.models import Peer, PeerState, RegisteredAgent
from peers.services.catalog.agents import agent_id_of, visibility_of, visible_agents
from peers.services.catalog.visibility import why_unseen

ANYONE = "anyone"
MAX_PEERS = 500


def peer_choices(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the callers that staff can choose, approved peers first; peers only for users who may view them."""
    choices = [(ANYONE, "Anyone without a key or token")]
    if not request.user.has_perm("peers.view_peer"):
        return choices
    peers = sorted(Peer.objects.order_by("server_url")[:MAX_PEERS], key=lambda peer: peer.state != PeerState.APPROVED)
    return choices + [(peer.pk, f"{peer} ({peer.get_state_display().lower()})") for peer in peers]


def seen_as(request: HttpRequest, agent: A2aAgent) -> HttpResponse:
    """Show what the answer to the chosen caller holds of `agent`, or why it holds nothing of it."""
    chosen = request.GET.get("peer", "")
    choices = peer_choices(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"Seen as another hub: {agent.name}",
        "agent": agent,
        "peers": choices,
        "chosen": chosen,
        "back_url": reverse("admin:federations_a2aagent_change", args=[agent.pk]),
        "seen_as_url": request.path,
    }
    if chosen in dict(choices):
        peer = Peer.objects.filter(pk=chosen).first() if chosen != ANYONE else None
        context |= {"is_asked": True, "who": peer or "Anyone without a key or token", **_sight(agent, peer)}
    request.current_app = admin.site.name
    return TemplateResponse(request, "peers/seen_as.html", context)


def _sight(agent: A2aAgent, peer: Peer | None) -> dict[str, Any]:
    agent_id = agent_id_of(agent.path)
    found = visible_agents(peer, agent_id=agent_id)
    hiding = RegisteredAgent.objects.filter(agent_id=agent_id).first()
    visibility = hiding.visibility if hiding else visibility_of(agent.federation_id, agent.path)
    return {
        "answer": as_json(found[0].to_dict()) if found else "",
        "why": "" if found else why_unseen(visibility, peer),
        "hiding": hiding,
    }
