"""The page *Schedules*: each federation with its rule, its next sync and its last result, to pause and resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from core.actors import actor_of
from core.admin.labels import count_text, format_age, label, sentence
from core.admin.list_chips import address
from core.admin.list_tabs import ALL, Tab, count_rows
from core.admin.refusals import show_refusals
from federations.admin.labels import sync_label
from federations.admin.permissions import sees_any_federation
from federations.admin.schedule_cells import ScheduleFilter, next_sync_words
from federations.models import AccessLevel, Federation, FederationStatus, SyncStatus
from federations.schedules.words import schedule_words
from federations.services.access import PERMISSION_OF, federations_visible_to, grants_of_user, level_of
from federations.services.schedule import schedule_of, set_paused

PER_PAGE = 50
HAS_NO_RULE = ScheduleFilter.kept["none"]
HAS_RULE = ~HAS_NO_RULE
IS_DISABLED = Q(status=FederationStatus.DISABLED)
TABS = (
    Tab("on", "On", HAS_RULE & Q(is_sync_paused=False) & ~IS_DISABLED),
    Tab("paused", "Paused", HAS_RULE & Q(is_sync_paused=True)),
    Tab("failing", "Last sync failed", HAS_RULE & Q(sync_status=SyncStatus.FAILED)),
    Tab("disabled", "Disabled", HAS_RULE & IS_DISABLED),
    Tab("none", "Only on request", HAS_NO_RULE),
)
ON, PAUSED, DISABLED, NONE = "On", "Paused", "Disabled", "On request"
COLORS = {ON: "success", PAUSED: "warning", DISABLED: "danger"}


class ScheduleSearch(forms.Form):
    """The search box above the list; the tab stays."""

    q = forms.CharField(
        required=False,
        max_length=200,
        label="Federation",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search", "placeholder": "Name or description"}),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A federation as the list shows it. `switch` is what staff may do with its schedule here; empty for nothing."""

    federation: Federation
    rule: str
    next_sync: str
    last: SafeString
    ago: str
    state: SafeString
    switch: str
    may_change: bool


def schedules_page(request: HttpRequest) -> HttpResponse:
    """Show the schedules of the federations that the user may view, or pause or resume the one of a posted row."""
    if not sees_any_federation(request):
        raise PermissionDenied
    if request.method == "POST":
        return _switch(request)
    search = ScheduleSearch(request.GET)
    text = search.cleaned_data["q"].strip() if search.is_valid() else ""
    rows = federations_visible_to(request.user)
    if text:
        rows = rows.matching(text)  # type: ignore[attr-defined]
    given = {"q": [text]} if text else {}
    counts = count_rows(rows, [(tab.name, tab.where()) for tab in TABS])
    tab = next((each for each in TABS if each.name == request.GET.get("tab")), None)
    kept = {"tab": [tab.name]} if tab else {}
    page = _page(rows.filter(tab.where()) if tab else rows, request, counts[tab.name if tab else ALL])
    context = {
        **admin.site.each_context(request),
        "title": "Schedules",
        "is_fullwidth": "1",
        "search": search,
        "text": text,
        "tab": tab,
        "tabs": [_tab_link(given, each, counts, tab) for each in (None, *TABS)],
        "rows": _shown(request, list(page.object_list)),
        "counted": count_text(counts[tab.name if tab else ALL], "federation"),
        "previous_url": address(given | kept, {"p": str(page.number - 1)}) if page.has_previous() else "",
        "next_url": address(given | kept, {"p": str(page.number + 1)}) if page.has_next() else "",
        "zone": timezone.get_current_timezone_name(),
        "here": request.get_full_path(),
        "may_add": request.user.has_perm("federations.add_federation"),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "federations/schedules.html", context)


def _page(rows: QuerySet[Federation], request: HttpRequest, count: int) -> Any:
    paginator = Paginator(rows.with_details().order_by("display_name", "id"), PER_PAGE)  # type: ignore[attr-defined]
    paginator.count = count
    return paginator.get_page(request.GET.get("p"))


def _tab_link(
    given: dict[str, list[str]], tab: Tab | None, counts: dict[str, int], current: Tab | None
) -> dict[str, Any]:
    return {
        "title": tab.title if tab else "All",
        "count": counts[tab.name if tab else ALL],
        "url": address(given, {"tab": tab.name if tab else None}),
        "is_current": tab is current,
    }


def _shown(request: HttpRequest, federations: list[Federation]) -> list[Row]:
    """Return the rows; the person's levels are read once for all of them."""
    edits_all = request.user.has_perm(PERMISSION_OF[AccessLevel.EDIT])
    levels = {} if edits_all else grants_of_user(request.user)
    return [_row(row, edits_all or levels.get(row.id, 0) >= AccessLevel.EDIT) for row in federations]


def _row(federation: Federation, may_change: bool) -> Row:
    schedule, job = schedule_of(federation), federation.last_sync
    state = ON if schedule else NONE
    if schedule and federation.status == FederationStatus.DISABLED:
        state = DISABLED
    elif schedule and federation.is_sync_paused:
        state = PAUSED
    may_switch = may_change and federation.status == FederationStatus.ACTIVE
    return Row(
        federation=federation,
        rule=sentence(schedule_words(schedule)),
        next_sync=next_sync_words(federation) if state == ON else "-",
        last=sync_label(federation),
        ago=format_age(job.finished_at or job.started_at or job.created_at) if job else "",
        state=label(state, COLORS),
        switch={ON: "pause", PAUSED: "resume"}.get(state, "") if may_switch else "",
        may_change=may_switch,
    )


def _switch(request: HttpRequest) -> HttpResponse:
    """Pause or resume the schedule of one federation, and go back to the list as it was."""
    key = request.POST.get("federation", "")[:24]
    federation = federations_visible_to(request.user).filter(pk=key).first()
    if federation is None:
        raise Http404("Federation not found")
    if level_of(request.user, federation) < AccessLevel.EDIT:
        raise PermissionDenied
    pauses = request.POST.get("do") == "pause"
    with show_refusals(request, str(federation)):
        set_paused(federation, pauses, by=actor_of(request.user))
        messages.success(request, f"The schedule of {federation} {'is paused' if pauses else 'continues'}.")
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(reverse("admin-schedules") + (f"?{query}" if query else ""))
