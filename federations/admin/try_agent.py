"""*Try it*: the page that gives work to an agent, and the newest runs on the agent's own page."""

from __future__ import annotations

import secrets
from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.cells import row_link
from core.admin.labels import format_age
from core.admin.row_pages import RowPagesMixin
from core.errors import HubError
from federations.admin.catalog_page import listed
from federations.admin.catalog_view import strings
from federations.admin.run_forms import TryForm, typed_data
from federations.admin.run_labels import giver_of, live_state, run_title, took_of
from federations.admin.run_page import agent_with_status
from federations.admin.run_rows import slim
from federations.admin.visible_text import visible
from federations.models import A2aAgent
from federations.services.access import may_run_agents, runs_visible_to
from federations.services.runs.make import Work, make_run, takes_work

NEWEST_RUNS = 5
EXAMPLES = 5
EXAMPLE_CHARACTERS = 300
GONE = "The agent is no longer in the registry, or you may no longer see it, so it gets no work."


class TryAgentMixin(RowPagesMixin):
    """Adds the button *Try it* and its page to the pages of A2A agents."""

    actions_detail = ["try_it"]

    def has_try_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may give work to agents."""
        return may_run_agents(request.user)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        found = super().get_actions_detail(request, object_id)
        if not found:
            return found
        agent = agent_with_status(request, str(object_id))
        return found if agent is not None and takes_work(agent) else []

    @action(
        description="Try it",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["try"],
        url_path="try",
    )
    def try_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        agent = self.get_queryset(request).filter(pk=object_id).first()
        if agent is None:
            messages.error(request, GONE)
            return HttpResponseRedirect(reverse("admin:federations_a2aagent_changelist"))
        context: dict[str, Any] = {"back_url": self.row_url(agent.pk), "examples": _examples(agent)}
        if not takes_work(agent):
            return self._try_page(request, agent, {**context, "refusal": refusal_of(agent)})
        form = TryForm(request.POST) if request.method == "POST" else TryForm(initial=_initial(request))
        if form.is_bound and form.is_valid():
            try:
                run = make_run(agent, _work(form), by=actor_of(request.user))
            except HubError as error:
                context["refusal"] = error.message
            else:
                return HttpResponseRedirect(reverse("admin:federations_agentrun_change", args=[run.pk]))
        return self._try_page(request, agent, {**context, "form": form})

    def _try_page(self, request: HttpRequest, agent: A2aAgent, context: dict[str, Any]) -> HttpResponse:
        return self.extra_page(request, "federations/try_agent.html", f"Try {agent}", context)


def refusal_of(agent: A2aAgent) -> str:
    """Return why the agent gets no work; empty if it gets work."""
    if takes_work(agent):
        return ""
    state = agent.federation.get_status_display().lower() if agent.federation else ""
    return f"Its federation is {state}, and the agents of such a federation get no work."


def newest_runs(request: HttpRequest, agent: A2aAgent) -> dict[str, Any]:
    """Return the newest runs of an agent that the user may view, in one query, and why the agent gets no work."""
    runs = list(slim(runs_visible_to(request.user).filter(agent_id=agent.pk))[:NEWEST_RUNS])
    rows = [
        [
            row_link(run, visible(run_title(run))),
            live_state(run),
            visible(giver_of(run)),
            format_age(run.created_at),
            took_of(run) or "-",
        ]
        for run in runs
    ]
    return {
        "rows": rows,
        "unfinished": [run for run in runs if not run.has_ended],
        "notice": refusal_of(agent),
        "may_run": may_run_agents(request.user),
        "all_url": f"{reverse('admin:federations_agentrun_changelist')}?agent={agent.pk}",
    }


def _work(form: TryForm) -> Work:
    """Return the work of a form. The same form with the same content is the same run, however often it is sent."""
    work = Work(form.cleaned_data["text"], form.cleaned_data["data"])
    return Work(work.text, work.data, request_key=f"{form.cleaned_data['nonce']} {work.digest}")


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the first content of the form: empty, or that of the run in the query `like`."""
    initial = {"nonce": secrets.token_urlsafe(16)}
    like = runs_visible_to(request.user).filter(pk=request.GET.get("like", "")[:24]).first()
    return initial if like is None else {**initial, "text": like.text, "data": typed_data(like.data)}


def _examples(agent: A2aAgent) -> list[str]:
    """Return the first examples of the agent's skills."""
    skills = (skill for skill in listed(agent.skills) if isinstance(skill, dict))
    found = (example for skill in skills for example in strings(skill.get("examples")))
    return [_printable(example[:EXAMPLE_CHARACTERS]) for example in islice(found, EXAMPLES)]


def _printable(text: str) -> str:
    """Return `text` without hidden characters: what people see is what a press puts into the form."""
    return "".join(character for character in text if character.isprintable())
