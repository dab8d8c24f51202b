"""The page that asks before staff change whether peers' work for an agent waits for approval."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from core.actors import actor_of
from peers.admin.visibility_pages import MAY_CHOOSE, single_agent
from peers.services.catalog.work_settings import asks_before_work, set_asks_before_work

ON, OFF = "on", "off"
BUTTONS = {True: ("Ask before work", "front_hand"), False: ("Do not ask before work", "play_circle")}
"""The text and the icon of the button of each choice."""


def confirm_asks(request: HttpRequest, object_id: str) -> HttpResponse:
    """Ask before the agent gets the other choice, or store the choice that the request confirms."""
    if not request.user.has_perm(MAY_CHOOSE):
        raise PermissionDenied
    agent = single_agent(request, object_id).get()
    back_url = reverse("admin:federations_a2aagent_change", args=[agent.pk])
    confirmed = request.POST.get("confirmed")
    if confirmed in (ON, OFF):
        asks = confirmed == ON
        set_asks_before_work(agent.federation_id, agent.path, asks, by=actor_of(request.user))
        then = "waits for approval" if asks else "begins at once"
        messages.success(request, f"Work of peers for {agent.name} {then} from now on.")
        return HttpResponseRedirect(back_url)
    asks = not asks_before_work(agent.federation_id, agent.path)
    request.current_app = admin.site.name
    text, icon = BUTTONS[asks]
    own = {
        "title": f"{text}?",
        "agent": agent,
        "asks": asks,
        "confirmed": ON if asks else OFF,
        "back_url": back_url,
        "button": text,
        "icon": icon,
    }
    return TemplateResponse(request, "peers/ask_before_work.html", {**admin.site.each_context(request), **own})
