"""The visibility of an agent on the pages of the registry's A2A agents: column, filter, actions, section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from core.admin.labels import label
from federations.admin.agent_extensions import Action, AgentExtension
from federations.models import A2aAgent
from peers.admin.agent_forms import VISIBILITY_HELP, VISIBILITY_OF_MANY
from peers.admin.seen_as import peer_choices
from peers.admin.visibility_pages import BUTTONS, MAY_CHOOSE, confirm_choice, readers_of
from peers.admin.work_setting_page import BUTTONS as WORK_BUTTONS
from peers.models import AgentVisibilityChoice, AgentWorkSetting, RegisteredAgent, Visibility
from peers.services.catalog.agents import agent_id_of
from peers.services.catalog.visibility import choices_at

VISIBILITY_COLORS = {"public": "success", "unlisted": "info", "private": "default"}


class VisibilityFilter(DropdownFilter):
    """Keeps the agents of one visibility."""

    title = "visibility"
    parameter_name = "visibility"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, f"{value}: {VISIBILITY_HELP[value]}") for value in Visibility.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return with_visibility(queryset).filter(visible_to=self.value()) if self.value() else queryset


def with_visibility(agents: QuerySet[Any]) -> QuerySet[Any]:
    """Add the columns `chosen` and `chooser`, which are null without a choice of staff, and `visible_to`."""
    choice = AgentVisibilityChoice.objects.filter(
        federation_id=Coalesce(OuterRef("federation_id"), Value("")), path=OuterRef("path")
    )
    chosen = Subquery(choice.values("visibility")[:1])
    annotated: QuerySet[Any] = agents.annotate(
        chosen=chosen,
        chooser=Subquery(choice.values("changed_by_name")[:1]),
        visible_to=Coalesce(chosen, Value(settings.FEDHUB_VISIBILITY_DEFAULT)),
    )
    return annotated


def may_view(request: HttpRequest) -> bool:
    """Tell whether the user may see the visibility of agents."""
    return request.user.has_perm("peers.view_agentvisibilitychoice") or request.user.has_perm(MAY_CHOOSE)


def actions_for(request: HttpRequest) -> Mapping[str, tuple[Action, str]]:
    """Return the actions on ticked agents by name, with their descriptions; none for a user who may not choose."""
    if not request.user.has_perm(MAY_CHOOSE):
        return {}
    return {
        f"make_{visibility.value}": (
            _action(visibility),
            f"{BUTTONS[visibility][0]}…: {VISIBILITY_OF_MANY[visibility]}",
        )
        for visibility in Visibility
    }


def _action(visibility: Visibility) -> Action:
    def ask(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return confirm_choice(request, queryset, visibility, request.get_full_path())

    return ask


def cells(agents: Sequence[A2aAgent]) -> Mapping[str, SafeString]:
    """Return the visibility of each agent as a colored label, by the agent's id."""
    return {pk: label(value, VISIBILITY_COLORS) for pk, value in visibilities(agents).items()}


def visibilities(agents: Sequence[A2aAgent]) -> dict[str, str]:
    """Return the visibility of each agent by the agent's id."""
    choices = choices_at([_place(agent) for agent in agents])
    default = settings.FEDHUB_VISIBILITY_DEFAULT
    return {agent.pk: choices[_place(agent)].visibility if _place(agent) in choices else default for agent in agents}


def section(request: HttpRequest, agent: A2aAgent) -> SafeString:
    """Return the section of an agent's page: who sees it, whether work waits, the buttons, and the choice of a peer."""
    choice = choices_at([_place(agent)]).get(_place(agent))
    visibility = choice.visibility if choice else settings.FEDHUB_VISIBILITY_DEFAULT
    agent_id = agent_id_of(agent.path)
    buttons = [
        {"text": f"{BUTTONS[other][0]}…", "icon": BUTTONS[other][1], "href": _address(f"make_{other.value}", agent)}
        for other in Visibility
        if other != visibility and request.user.has_perm(MAY_CHOOSE)
    ]
    setting = AgentWorkSetting.objects.filter(federation_id=agent.federation_id or "", path=agent.path).first()
    asks = setting is None or setting.asks_before_work
    if request.user.has_perm(MAY_CHOOSE):
        text, icon = WORK_BUTTONS[not asks]
        buttons.append({"text": f"{text}…", "icon": icon, "href": _address("asks", agent)})
    context = {
        "asks": asks,
        "setting": setting,
        "label": label(visibility, VISIBILITY_COLORS),
        "choice": choice,
        "readers": readers_of(request, visibility),
        "agent_id": agent_id,
        "hiding": RegisteredAgent.objects.filter(agent_id=agent_id).first(),
        "may_view_registered": request.user.has_perm("peers.view_registeredagent"),
        "buttons": buttons,
        "peers": peer_choices(request),
        "seen_as_url": _address("seen_as", agent),
    }
    return render_to_string("peers/agent_visibility.html", context, request)


def _place(agent: A2aAgent) -> tuple[str, str]:
    return agent.federation_id or "", agent.path


def _address(page: str, agent: A2aAgent) -> str:
    return reverse(f"admin:peers_discoveredagent_{page}", args=[agent.pk])


EXTENSION = AgentExtension(
    name="visibility",
    title="Visibility",
    may_view=may_view,
    cells=cells,
    list_filter=VisibilityFilter,
    actions=actions_for,
    section=section,
)
