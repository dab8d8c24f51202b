"""The federation log, as it was written."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from core.admin.read_only import ReadOnlyAdmin
from peers.admin.pages import PagesMixin, code, link, peer_link, when
from peers.models import Dispatch, JournalEntry, JournalKind, Peer, ReceivedDispatch

KIND_COLORS = {
    JournalKind.PEER.label: "primary",
    JournalKind.KEY.label: "warning",
    JournalKind.DISPATCH.label: "info",
    JournalKind.RECEIVE.label: "success",
}
LONGEST_SHOWN = 13


@admin.register(JournalEntry)
class JournalEntryAdmin(PagesMixin, ReadOnlyAdmin):
    """One line for each thing that went between hubs or was decided."""

    list_display = ["when", "kind_label", "text", "peer", "dispatch", "by"]
    list_display_links = ["when"]
    list_filter = [("kind", ChoicesDropdownFilter), ("at", RangeDateTimeFilter)]
    list_fullwidth = True
    list_per_page = 100
    search_fields = ["peer_url", "=dispatch_id", "text", "actor_name"]
    search_help_text = "Peer, dispatch id, text or person"
    fields = ["at", "kind_label", "text", "peer_page", "dispatch_page", "by"]
    empty_hint = "Every decision about a peer, and everything that goes between hubs, is written down here."

    @display(description="When", ordering="at")
    def when(self, entry: JournalEntry) -> str:
        return when(entry.at)

    @display(description="About", ordering="kind", label=KIND_COLORS)
    def kind_label(self, entry: JournalEntry) -> str:
        return entry.get_kind_display()

    @display(description="Peer", ordering="peer_url")
    def peer(self, entry: JournalEntry) -> str:
        return entry.peer_url or "-"

    @display(description="Dispatch", ordering="dispatch_id")
    def dispatch(self, entry: JournalEntry) -> SafeString | str:
        return link_to_lines(entry.dispatch_id) if entry.dispatch_id else "-"

    @display(description="By", ordering="actor_name")
    def by(self, entry: JournalEntry) -> str:
        return entry.actor_name or "the hub"

    @display(description="Peer")
    def peer_page(self, entry: JournalEntry) -> SafeString | str:
        found = Peer.objects.filter(server_url=entry.peer_url).first() if entry.peer_url else None
        return peer_link(found, entry.peer_url)

    @display(description="Dispatch")
    def dispatch_page(self, entry: JournalEntry) -> SafeString | str:
        return link_to_dispatch(entry.dispatch_id) if entry.dispatch_id else "-"


def journal_url(query: str) -> str:
    """Return the address of the lines that a search finds."""
    return f"{reverse('admin:peers_journalentry_changelist')}?{urlencode({'q': query})}"


def link_to_lines(dispatch_id: str) -> SafeString:
    """Return the beginning of a dispatch's id as a link to all lines about it."""
    is_short = len(dispatch_id) <= LONGEST_SHOWN
    text = dispatch_id if is_short else f"{dispatch_id[: LONGEST_SHOWN - 1]}…"
    return format_html('<a class="text-link" href="{}" title="{}">{}</a>', journal_url(dispatch_id), dispatch_id, text)


def link_to_dispatch(dispatch_id: str) -> SafeString:
    """Return a link to the dispatch of this id, sent or received, by its intent's title; the id alone without one."""
    sent = Dispatch.objects.filter(pk=dispatch_id).first()
    if sent:
        return link(sent, sent.intent_title or dispatch_id)
    received: Any = ReceivedDispatch.objects.filter(dispatch_id=dispatch_id).select_related("intent").first()
    if received is None:
        return code(dispatch_id)
    return link(received, received.intent.title if received.intent else dispatch_id)
