"""The pages that ask before agents get another visibility: they name the agents, and who sees them from now on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import BaseModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.actors import actor_of
from federations.services.access import agents_visible_to
from peers.admin.agent_forms import VISIBILITY_HELP, VISIBILITY_OF_MANY
from peers.admin.labels import plural
from peers.models import AgentVisibilityChoice, Peer, RegisteredAgent, Visibility
from peers.services.catalog.visibility import (
    Place,
    approved_peers,
    audience_of,
    choices_at,
    set_visibilities,
    undo_visibilities,
)

SHOWN_AGENTS = 20
SHOWN_PEERS = 20
MAY_CHOOSE = "peers.change_agentvisibilitychoice"
BUTTONS = {
    Visibility.PUBLIC: ("Make public", "public"),
    Visibility.UNLISTED: ("Make unlisted", "group"),
    Visibility.PRIVATE: ("Hide", "visibility_off"),
}
"""The text and the icon of the button of each visibility."""
_RANK: dict[str, int] = {Visibility.PRIVATE: 0, Visibility.UNLISTED: 1, Visibility.PUBLIC: 2}
WHILE_OFF = "The protocol between hubs is off (FEDHUB_ENABLED), so this holds when it is on."
CHANGED_MEANWHILE = "The agents or their visibility changed since this page was opened. Look at them again."


@dataclass(frozen=True, slots=True)
class Step:
    """One agent and its visibility, now and after the confirmation."""

    pk: str
    name: str
    place: Place
    now: str
    then: str

    @property
    def path(self) -> str:
        """Return the agent's path in the registry."""
        return self.place[1]

    @property
    def href(self) -> str:
        """Return the address of the agent's page; an empty text for an agent without one."""
        return reverse("admin:federations_a2aagent_change", args=[self.pk]) if self.pk else ""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who sees agents of one visibility, in words; `peers` are the first of the approved peers, if these see them."""

    visibility: str
    text: str
    peers: Sequence[Peer] = ()
    more: int = 0


def confirm_choice(request: HttpRequest, agents: QuerySet[Any], visibility: Visibility, back_url: str) -> HttpResponse:
    """Ask before `agents` get `visibility`, or set it if the request confirms exactly these agents."""
    _check_may_choose(request)
    steps = _steps(agents, dict.fromkeys(agents.values_list("pk", flat=True), visibility.value))
    if request.POST.get("confirmed") == _digest(steps):
        change_id = set_visibilities([step.place for step in steps], visibility, actor_of(request.user))
        seen = VISIBILITY_HELP if len(steps) == 1 else VISIBILITY_OF_MANY
        said = f"{plural(len(steps), 'agent')} {visibility.value} from now on: {seen[visibility]}."
        messages.success(request, _with_undo(said, change_id))
        return HttpResponseRedirect(back_url)
    text, icon = BUTTONS[visibility]
    return _page(request, steps, f"{text}?", {"button": text, "icon": icon, "back_url": back_url})


def confirm_wider_form(
    request: HttpRequest, form: BaseModelForm[RegisteredAgent], before: str | None
) -> HttpResponse | None:
    """Ask before a form that makes a registered agent visible to more callers is saved; None if nothing is to ask.

    `before` is the stored visibility, None for a new agent. The page posts the typed values again.
    """
    then = form.cleaned_data["visibility"]
    digest = sha256(f"{then} {form.cleaned_data}".encode()).hexdigest()
    if _RANK[then] <= _RANK[before or Visibility.PRIVATE] or request.POST.get("confirmed") == digest:
        return None
    name = form.instance.agent_id or form.cleaned_data.get("agent_id", "")
    step = Step("", name, ("", form.cleaned_data["server_url"] or "on this hub"), before or "not registered", then)
    text, icon = BUTTONS[then]
    values = [(key, value) for key, values in request.POST.lists() if key != "csrfmiddlewaretoken" for value in values]
    context: dict[str, Any] = {"button": text, "icon": icon, "back_url": request.path, "digest": digest}
    context["hidden"] = [(key, value) for key, value in values if key != "confirmed"]
    return _page(request, [step], f"{text}?", context)


def confirm_undo(request: HttpRequest, change_id: str) -> HttpResponse:
    """Ask before the agents of a change get the visibility that they had before it, or give it to them."""
    _check_may_choose(request)
    back_url = reverse("admin:peers_discoveredagent_changelist")
    choices = AgentVisibilityChoice.objects.filter(change_id=change_id) if change_id else ()
    before = {(row.federation_id, row.path): row.previous or settings.FEDHUB_VISIBILITY_DEFAULT for row in choices}
    found = agents_visible_to(request.user).filter(path__in=[path for _, path in before][:10_000])
    then = {
        pk: before[federation_id or "", path]
        for pk, federation_id, path in found.values_list("pk", "federation_id", "path")
        if (federation_id or "", path) in before
    }
    steps = _steps(found.filter(pk__in=list(then)), then)
    if not steps:
        messages.warning(request, "There is nothing to undo: another change has touched these agents since then.")
        return HttpResponseRedirect(back_url)
    if request.POST.get("confirmed") == _digest(steps):
        count = undo_visibilities(change_id, [step.place for step in steps], actor_of(request.user))
        messages.success(request, f"{plural(count, 'agent')} back to the visibility before.")
        return HttpResponseRedirect(back_url)
    return _page(request, steps, "Undo the change?", {"button": "Undo", "icon": "undo", "back_url": back_url})


def readers_of(request: HttpRequest, visibility: str) -> Readers:
    """Return who sees an agent of this visibility; the peers' names and number only for users who may view peers."""
    audience = audience_of(visibility)
    later = (
        " The protocol between hubs is off (FEDHUB_ENABLED), so this holds when it is on." if audience.is_off else ""
    )
    if audience.is_everyone:
        return Readers(visibility, f"Everyone who reaches this hub, also without a key or token.{later}")
    if visibility == Visibility.UNLISTED and not audience.are_approved_peers:
        return Readers(
            visibility, f"No other hub: under the trust policy trustless peers see public agents alone.{later}"
        )
    if not audience.are_approved_peers:
        return Readers(visibility, "Only this hub. Other hubs do not see it.")
    if not request.user.has_perm("peers.view_peer"):
        return Readers(visibility, f"Approved peers.{later}")
    peers = approved_peers()
    count, first = peers.count(), list(peers[:SHOWN_PEERS])
    return Readers(visibility, f"{plural(count, 'approved peer')}.{later}", first, count - len(first))


def agents_for(request: HttpRequest, pks: Iterable[str]) -> QuerySet[Any]:
    """Return those of the agents that the user may view."""
    return agents_visible_to(request.user).filter(pk__in=list(pks))


def single_agent(request: HttpRequest, pk: str) -> QuerySet[Any]:
    """Return the agent as a query of one row; raise Http404 if the user may not view it."""
    found = agents_for(request, [pk])
    if not found.exists():
        raise Http404("A2A agent not found")
    return found


def _check_may_choose(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_CHOOSE):
        raise PermissionDenied


def _steps(agents: QuerySet[Any], then: dict[str, str]) -> list[Step]:
    rows = list(agents.order_by("name", "pk").values_list("pk", "name", "federation_id", "path"))
    places = {pk: (federation_id or "", path) for pk, _, federation_id, path in rows}
    choices = choices_at(places.values())
    return [
        Step(
            pk,
            name,
            place := places[pk],
            choices[place].visibility if place in choices else settings.FEDHUB_VISIBILITY_DEFAULT,
            then[pk],
        )
        for pk, name, _, _ in rows
        if pk in then
    ]


def _digest(steps: Sequence[Step]) -> str:
    """Return a digest of the agents and of both their visibilities, so that a confirmation names exactly these."""
    return sha256("\n".join(f"{step.pk} {step.now} {step.then}" for step in steps).encode()).hexdigest()


def _page(request: HttpRequest, steps: list[Step], title: str, context: dict[str, Any]) -> HttpResponse:
    kept = sum(step.now == step.then for step in steps)
    changed = [step for step in steps if step.now != step.then]
    posted = request.POST
    names = ("action", "select_across", "index", ACTION_CHECKBOX_NAME)
    is_of_a_list = request.method == "POST" and "action" in posted
    request.current_app = admin.site.name
    own = {
        "title": title,
        "count_text": plural(len(steps), "agent"),
        "steps": changed[:SHOWN_AGENTS] or steps[:SHOWN_AGENTS],
        "more": max(0, (len(changed) or len(steps)) - SHOWN_AGENTS),
        "kept_text": f"{plural(kept, 'agent')} already so" if kept and changed else "",
        "has_no_change": not changed,
        "readers": [readers_of(request, then) for then in Counter(step.then for step in steps)],
        "hidden": [(name, value) for name in names for value in posted.getlist(name)] if is_of_a_list else [],
        "digest": _digest(steps),
        "notice": CHANGED_MEANWHILE if "confirmed" in posted else "",
    }
    return TemplateResponse(request, "peers/visibility.html", {**admin.site.each_context(request), **own, **context})


def _with_undo(text: str, change_id: str) -> SafeString:
    return format_html(
        '{} <a class="underline" href="{}">Undo…</a>',
        text,
        reverse("admin:peers_discoveredagent_undo", args=[change_id]),
    )
