"""The federation log, as it was written."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from federations.admin.read_only import ReadOnlyAdmin
from peers.admin.pages import when
from peers.models import JournalEntry


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    """One line for each thing that went between hubs or was decided."""

    list_display = ["when", "kind_label", "text", "peer", "dispatch_id", "by"]
    list_display_links = ["when"]
    list_filter = [("kind", ChoicesDropdownFilter), ("at", RangeDateTimeFilter)]
    list_fullwidth = True
    list_per_page = 100
    search_fields = ["peer_url", "=dispatch_id", "text", "actor_name"]
    search_help_text = "Peer, dispatch id, text or person"
    fields = ["at", "kind", "text", "peer_url", "dispatch_id", "actor_name"]
    empty_hint = "Every decision about a peer, and everything that goes between hubs, is written down here."

    @display(description="When", ordering="at")
    def when(self, entry: JournalEntry) -> str:
        return when(entry.at)

    @display(description="About", ordering="kind", label=True)
    def kind_label(self, entry: JournalEntry) -> str:
        return entry.get_kind_display()

    @display(description="Peer", ordering="peer_url")
    def peer(self, entry: JournalEntry) -> str:
        return entry.peer_url or "-"

    @display(description="By", ordering="actor_name")
    def by(self, entry: JournalEntry) -> str:
        return entry.actor_name or "the hub"
