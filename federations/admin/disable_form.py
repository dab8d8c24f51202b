"""The dialog that disables a federation: what pauses, what stays, and who still sees its agents."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.forms import BaseDialogForm

from core.admin.labels import count_text
from federations.models import Federation
from federations.schedules.words import schedule_words
from federations.services.access import federations_visible_to
from federations.services.agent_readers import count_shown_agents
from federations.services.schedule import schedule_of


class DisableForm(BaseDialogForm):
    """A dialog without a field; above its buttons it says what follows for this federation."""

    form_before_template = "federations/disable_effects.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        federation = federations_visible_to(request.user).filter(pk=object_id).first()
        return {"effects": effects_of_disabling(federation) if federation else []}


def effects_of_disabling(federation: Federation) -> list[str]:
    """Return sentences about what a disabled federation does no more, and about what stays as it is."""
    schedule = schedule_of(federation)
    stored = [count_text(federation.mcp_server_count, "MCP server"), count_text(federation.agent_count, "A2A agent")]
    lines = [
        f"Its schedule ({schedule_words(schedule)}) pauses." if schedule else "It has no schedule, so none pauses.",
        f"Its {' and '.join(stored)} stay in the registry and in the search; changes in the cloud no longer arrive.",
    ]
    if shown := count_shown_agents(federation.pk):
        is_one = shown == 1
        lines.append(
            f"{count_text(shown, 'agent')} {'stays' if is_one else 'stay'} visible to peers. To withdraw "
            f"{'it' if is_one else 'them'}, make {'it' if is_one else 'them'} private under Agents' visibility."
        )
    return lines
