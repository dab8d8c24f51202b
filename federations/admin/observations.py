"""Admin pages of bookkeeping rows: the last observation of each runtime, and the running dry runs."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from core.admin.labels import format_age
from core.admin.read_only import ReadOnlyAdmin
from federations.models import PreviewSlot, RuntimeObservation


@admin.register(RuntimeObservation)
class RuntimeObservationAdmin(ReadOnlyAdmin):
    """The read-only pages of what the last sync saw of each runtime. After an `error` the next sync calls it again."""

    list_display = ["runtime_id", "name", "kind", "version", "outcome", "changed"]
    list_filter = [("kind", AllValuesCheckboxFilter)]
    search_fields = ["runtime_id", "name", "error", "=scope"]
    search_help_text = "Runtime, name, error or a federation's id"
    ordering = ["-last_updated_at"]
    empty_hint = "Each sync stores the observed version of each runtime here. No sync has run yet."

    @display(description="Last observation", label={"ok": "success", "failed": "danger"})
    def outcome(self, observation: RuntimeObservation) -> str:
        return "failed" if observation.error else "ok"

    @display(description="Changed in the cloud", ordering="last_updated_at")
    def changed(self, observation: RuntimeObservation) -> str:
        return format_age(observation.last_updated_at)


@admin.register(PreviewSlot)
class PreviewSlotAdmin(ReadOnlyAdmin):
    """The read-only pages of running dry runs. A dry run deletes its row at its end; after a crash, its lease ends."""

    list_display = ["federation", "number", "lease_expires_at"]
    list_select_related = ["federation"]
    empty_hint = "No dry run is running."
