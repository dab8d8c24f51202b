"""The pages that ask before staff change whether peers' work for agents waits for approval, and the list's column."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from core.actors import actor_of
from core.admin.ask_first import ask_first, is_confirmed
from peers.admin.labels import plural
from peers.admin.visibility_pages import MAY_CHOOSE, single_agent
from peers.models import AgentWorkSetting
from peers.services.catalog.work_settings import asks_before_work, set_asks_before_work, set_asks_of_each

ON, OFF = "on", "off"
BUTTONS = {True: ("Ask before work", "front_hand"), False: ("Do not ask before work", "play_circle")}
"""The text and the icon of the button of each choice."""
FOLLOWS = {
    True: "New work that peers send for these agents waits until staff approve it. Work under way goes on.",
    False: "The agents begin the work of peers without a person, within the budget of each dispatch. Work whose policy "
    "requires approval still waits, and so does the work that waits now.",
}
MOST_AGENTS = 500


def asks_column() -> Coalesce:
    """Return the column that tells of each discovered agent whether work of peers for it waits for approval."""
    setting = AgentWorkSetting.objects.filter(
        federation_id=Coalesce(OuterRef("federation_id"), Value("")), path=OuterRef("path")
    )
    return Coalesce(Subquery(setting.values("asks_before_work")[:1]), Value(True))


def asks_actions(request: HttpRequest) -> dict[str, tuple[Any, str, str]]:
    """Return the actions that set the choice of ticked agents; none for a user who may not choose."""
    if not request.user.has_perm(MAY_CHOOSE):
        return {}
    named = {"ask_before_work": True, "start_without_asking": False}
    return {name: (_set_many(asks), name, f"{BUTTONS[asks][0]}…") for name, asks in named.items()}


def _set_many(asks: bool) -> Any:
    def run(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        if queryset.count() > MOST_AGENTS:
            messages.error(request, f"Choose at most {MOST_AGENTS} agents at a time.")
            return None
        if not is_confirmed(request):
            return ask_first(
                page, request, queryset, title=BUTTONS[asks][0], follows=FOLLOWS[asks], name_of=attrgetter("name")
            )
        places = list(queryset.values_list("federation_id", "path"))
        number = set_asks_of_each(places, asks, by=actor_of(request.user))
        then = "waits for approval" if asks else "begins at once"
        messages.success(request, f"Work of peers for {plural(number, 'agent')} {then} from now on.")
        return None

    return run


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
