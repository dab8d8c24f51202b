"""Received dispatches: work that peers sent to this hub, and this hub's response to each dispatch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from core.admin.cells import copyable, row_link, time_since
from core.admin.linked_filters import DayFilter
from core.admin.list_export import CHUNK_ROWS
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin
from federations.admin.run_timeline import Entry
from peers.admin.by_hand import ByHandMixin
from peers.admin.journal import journal_url, refusals_url
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import peer_link, title_of_received
from peers.admin.list_pages import RECEIVED_EXPORT, RECEIVED_TABS
from peers.admin.work.buttons import buttons_for, run_buttons
from peers.admin.work.entries import entries_of
from peers.admin.work.live import live_answer, page_context
from peers.admin.work.outcome import OUTCOME_COLORS, outcome_of, what_happened
from peers.admin.work.received import received_facts, received_state, run_of
from peers.admin.work.trace_table import trace_table
from peers.models import ReceivedDispatch
from peers.services.agent_work.waiting import waiting_among
from peers.services.inbox.explain.received import checks_of


class ReceivedDayFilter(DayFilter):
    """Keep the dispatches that were received on one day."""

    column = "received_at"


class ReceivedChangeList(ListChangeList):
    """A list of received dispatches, which reads the waiting runs of a page at once."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = _with_waits(self.result_list)


@admin.register(ReceivedDispatch)
class ReceivedDispatchAdmin(ByHandMixin, ReadOnlyAdmin):
    """The admin page of received dispatches: what became of a peer's work, as a live time line, and on which terms."""

    class Media:
        css: ClassVar = {"all": ["fedhub/jobs.css", "fedhub/runs.css"]}

    list_display = ["title", "peer_column", "agent", "status_label", "happened", "received"]
    actions_list = ["refused_messages"]
    list_display_links = ["title"]
    list_filter = [
        ("peer", RelatedDropdownFilter),
        ("taken_by", ChoicesDropdownFilter),
        ReceivedDayFilter,
    ]
    list_fullwidth = True
    list_per_page = 50
    list_select_related = ["peer", "intent"]
    search_fields = ["intent__title", "peer__server_url", "agent_id", "dispatch_id__exact", "local_intent_id__exact"]
    tabs, export_fields = RECEIVED_TABS, RECEIVED_EXPORT
    date_field, date_title = "received_at", "Received"
    search_help_text = "Intent, peer, agent or id"
    change_form_outer_before_template = "peers/received.html"
    fieldsets = [
        ("Request", {"fields": ["intent_link", "agent"]}),
        ("Effective scope and policy", {"fields": ["scope_text", "policy_text"]}),
        ("Ids", {"fields": ["their_id", "trace", "callback_address"], "classes": ["collapse"]}),
        ("Envelope as the peer sent it", {"fields": ["envelope_text"], "classes": ["collapse"]}),
    ]
    empty_hint = (
        "The hub has taken no work of a peer yet. Approve a peer and let it see an agent. The work that it sends "
        "appears here. A message that the hub refused at once is under Messages not taken, with the reason."
    )
    empty_link = ("Go to the agents' visibility", "admin:peers_discoveredagent_changelist")

    def heading_of(self, row: ReceivedDispatch) -> str:
        return f"{self.title(row)} from {row.peer}"

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        # The live part of the page shows the buttons, because they come and go with the state.
        return []

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return ReceivedChangeList

    def exported(self, rows: Iterator[ReceivedDispatch]) -> Iterator[ReceivedDispatch]:
        while chunk := _with_waits(islice(rows, CHUNK_ROWS)):
            yield from chunk

    def has_journal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may read the journal, which alone tells of messages that the hub did not store."""
        return bool(request.user.has_perm("peers.view_journalentry"))

    @action(description="Messages not taken", icon="block", permissions=["journal"], url_path="refused-messages")
    def refused_messages(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(refusals_url())

    def get_urls(self) -> list[Any]:
        live = self.admin_site.admin_view(self.live_view)
        return [path("<str:object_id>/live/", live, name="peers_receiveddispatch_live"), *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the parts of a received dispatch's page that changed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return live_answer(request, *self._work(request, self.row_or_404(request, object_id)))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        live_url = reverse("admin:peers_receiveddispatch_live", args=[obj.pk])
        context.update(page_context(*self._work(request, obj), live_url))
        context["journal_url"] = journal_url(obj.dispatch_id)
        context["trace"] = trace_table(checks_of(obj))
        context["trace_title"] = "Why it was accepted" if obj.accepted else "Why it was refused"
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _work(self, request: HttpRequest, received: ReceivedDispatch) -> tuple[dict[str, Any], list[Entry]]:
        run, may_see = run_of(request, received)
        state = received_state(request, received, run, may_see_run=may_see)
        names = ["answer_work", "refuse_work"] if state["is_by_hand"] and self.has_answer_permission(request) else []
        buttons = buttons_for(self, received.pk, names)
        if run is not None and may_see:
            buttons += run_buttons(request, run, back_url=self.row_url(received.pk))
        facts = received_facts(received, run, may_see_run=may_see)
        return state | {"buttons": buttons}, entries_of(facts, beside=received.received_at)

    @display(description="Intent")
    def title(self, received: ReceivedDispatch) -> str:
        return title_of_received(received)

    @display(description="Intent")
    def intent_link(self, received: ReceivedDispatch) -> SafeString | str:
        title = title_of_received(received)
        return row_link(received.intent, title) if received.intent else title

    @display(description="Peer", ordering="peer__server_url")
    def peer_column(self, received: ReceivedDispatch) -> SafeString | str:
        return peer_link(received.peer)

    @display(description="Agent", ordering="agent_id")
    def agent(self, received: ReceivedDispatch) -> str:
        return received.agent_id or "not named"

    @display(description="Outcome", ordering="outcome", label=OUTCOME_COLORS)
    def status_label(self, received: Any) -> str:
        return outcome_of(received, waits=received.waits)

    @display(description="What happened")
    def happened(self, received: ReceivedDispatch) -> str:
        return what_happened(received)

    @display(description="Received", ordering="received_at")
    def received(self, received: ReceivedDispatch) -> str:
        return time_since(received.received_at)

    @display(description="Delegation scope")
    def scope_text(self, received: ReceivedDispatch) -> SafeString:
        return json_as_fields(received.scope)

    @display(description="Policy")
    def policy_text(self, received: ReceivedDispatch) -> SafeString:
        return json_as_fields(received.policy)

    @display(description="Dispatch id at the peer")
    def their_id(self, received: ReceivedDispatch) -> SafeString | str:
        return copyable(received.dispatch_id)

    @display(description="Trace id")
    def trace(self, received: ReceivedDispatch) -> SafeString | str:
        return copyable(received.trace_id)

    @display(description="Callbacks go to")
    def callback_address(self, received: ReceivedDispatch) -> str:
        return received.callback_url or "nowhere: the peer named no URL"

    @display(description="Envelope")
    def envelope_text(self, received: ReceivedDispatch) -> SafeString | str:
        if received.emptied_at:
            return format_html("Deleted {}, because the work ended long ago", time_since(received.emptied_at))
        return json_as_fields(received.envelope)


def _with_waits(rows: Iterable[Any]) -> list[Any]:
    """Return the rows, each knowing whether its run waits for a person."""
    found = list(rows)
    waiting = waiting_among(found)
    for row in found:
        row.waits = row.pk in waiting
    return found
