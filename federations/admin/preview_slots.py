"""The admin pages of the running dry runs."""

from __future__ import annotations

from django.contrib import admin

from core.admin.read_only import ReadOnlyAdmin
from federations.models import PreviewSlot


@admin.register(PreviewSlot)
class PreviewSlotAdmin(ReadOnlyAdmin):
    """The read-only pages of running dry runs. A dry run deletes its row at its end; after a crash, its lease ends."""

    list_display = ["federation", "number", "lease_expires_at"]
    list_select_related = ["federation"]
    empty_hint = "No dry run is running."
