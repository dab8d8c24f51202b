"""What the page of a received dispatch shows of the run that does its work."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from federations.admin.run_labels import state_label
from federations.services.access import runs_visible_to
from peers.models import ReceivedDispatch
from peers.services.agent_work.begin import runs_of


@dataclass(frozen=True, slots=True)
class RunCard:
    """The state of a run as a label; the rest is empty for people who may not see the run."""

    state: SafeString
    agent: str = ""
    error: str = ""
    url: str = ""


def run_card(request: HttpRequest, received: ReceivedDispatch) -> RunCard | None:
    """Return the card of the dispatch's run; None without a run.

    A run has the agent's texts, which are for people who may view the agent's federation.
    """
    run = runs_of(received).first()
    if run is None:
        return None
    state = state_label(run)
    if not runs_visible_to(request.user).filter(pk=run.pk).exists():
        return RunCard(state)
    url = reverse("admin:federations_agentrun_change", args=[run.pk])
    return RunCard(state, run.agent_name, run.error, url)
