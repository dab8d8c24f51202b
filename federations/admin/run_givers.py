"""Who gave the work of a peer's run: the app that receives the work registers how a page names and links it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.safestring import SafeString

from federations.admin.run_labels import giver_of
from federations.admin.visible_text import visible
from federations.models import AgentRun
from federations.runs.states import RunSource

Describe = Callable[[HttpRequest, AgentRun], SafeString | None]

_describers: list[Describe] = []


def register_giver(describe: Describe) -> None:
    """Let `describe` name the sender of a peer's run, as HTML; it returns None where it does not know the sender."""
    if describe not in _describers:
        _describers.append(describe)


def giver_text(request: HttpRequest, run: AgentRun) -> SafeString:
    """Return who gave the work, as HTML."""
    if run.source == RunSource.PEER:
        for describe in _describers:
            if (found := describe(request, run)) is not None:
                return found
    return visible(giver_of(run)[:200])
