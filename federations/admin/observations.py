"""The bookkeeping beside the registry: what was last seen of each runtime, for those who look into a sync."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from core.admin.labels import ago
from core.admin.read_only import ReadOnlyAdmin
from federations.models import PreviewSlot, RuntimeSighting


@admin.register(RuntimeSighting)
class RuntimeSightingAdmin(ReadOnlyAdmin):
    """Where `error` is set the next sync asks the runtime again."""

    list_display = ["runtime_id", "name", "kind", "version", "outcome", "changed"]
    list_filter = [("kind", AllValuesCheckboxFilter)]
    search_fields = ["runtime_id", "name", "error", "=scope"]
    search_help_text = "Runtime, name, error or a federation's id"
    ordering = ["-last_updated_at"]
    empty_hint = "Every sync notes here which version of a runtime it saw. Nothing was synced yet."

    @display(description="Last look", label={"ok": "success", "failed": "danger"})
    def outcome(self, sighting: RuntimeSighting) -> str:
        return "failed" if sighting.error else "ok"

    @display(description="Changed in the cloud", ordering="last_updated_at")
    def changed(self, sighting: RuntimeSighting) -> str:
        return ago(sighting.last_updated_at)


@admin.register(PreviewSlot)
class PreviewSlotAdmin(ReadOnlyAdmin):
    """A dry run that ended takes its row away; one whose process died leaves it until the lease lapses."""

    list_display = ["federation", "number", "lease_expires_at"]
    list_select_related = ["federation"]
    empty_hint = "No dry run is under way."
