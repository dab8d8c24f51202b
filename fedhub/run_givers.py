"""The sender of a peer's run, with a link to the received dispatch: the pages of runs know no peers."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.cells import row_link
from federations.admin.visible_text import visible
from federations.models import AgentRun
from federations.services.access import VIEW_RECEIVED
from peers.models import ReceivedDispatch


def sender_of_run(request: HttpRequest, run: AgentRun) -> SafeString | None:
    """Return the name of the peer and a link to its dispatch; None where no dispatch is found or may be seen."""
    if not run.dispatch_id or not request.user.has_perm(VIEW_RECEIVED):
        return None
    by_id = Q(pk=run.dispatch_id) | Q(dispatch_id=run.dispatch_id, peer_id=run.source_id)
    found = ReceivedDispatch.objects.filter(by_id).select_related("peer").defer("envelope").first()
    if found is None:
        return None
    link = row_link(found, visible(f"dispatch {found.dispatch_id}"))
    return format_html("{} ({})", visible(str(found.peer)), link)
