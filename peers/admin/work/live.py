"""The live part of a page of work: its template context, and the answer to the request of a page that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from federations.admin.run_page import STOP
from federations.admin.run_timeline import Entry
from peers.admin.work.entries import mark_of


def page_context(state: dict[str, Any], entries: Sequence[Entry], live_url: str) -> dict[str, Any]:
    """Return the context of `peers/work.html`."""
    return {
        "work": state | {"entries": entries, "count": len(entries), "mark": mark_of(entries), "live_url": live_url},
    }


def live_answer(request: HttpRequest, state: dict[str, Any], entries: Sequence[Entry]) -> HttpResponse:
    """Return the parts of a page that changed since it had the state and the entries that the queries name.

    New entries are added at the end, so that the folds that a person opened stay open. Where an earlier entry changed,
    such as a report that was delivered meanwhile, the whole time line is sent.
    """
    count = int(text) if (text := request.GET.get("count", "")).isascii() and text.isdigit() and len(text) < 6 else 0
    is_new_state = request.GET.get("seen", "") != state["state_key"]
    is_same = request.GET.get("mark", "") == mark_of(entries[:count]) and count <= len(entries)
    shown = entries[count:] if is_same else entries
    status = STOP if state["has_ended"] else 200
    if not (is_new_state or shown):
        return HttpResponse(status=STOP if state["has_ended"] else 204)
    work = state | {
        "entries": shown,
        "count": len(entries),
        "mark": mark_of(entries),
        "is_new_state": is_new_state,
        "is_whole": not is_same,
    }
    return TemplateResponse(request, "peers/work_live.html", {"work": work}, status=status)
