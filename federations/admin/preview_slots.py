"""The admin pages of the running dry runs."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from core.admin.cells import time_from_now
from core.admin.read_only import ReadOnlyAdmin
from federations.models import PreviewSlot


@admin.register(PreviewSlot)
class PreviewSlotAdmin(ReadOnlyAdmin):
    """The read-only pages of running dry runs. A dry run deletes its row at its end; after a crash, its lease ends."""

    list_display = ["federation", "number", "lease_end"]
    list_select_related = ["federation"]
    empty_hint = "No dry run is running."

    @display(description="Lease ends", ordering="lease_expires_at")
    def lease_end(self, slot: PreviewSlot) -> str:
        return time_from_now(slot.lease_expires_at)
