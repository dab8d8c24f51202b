"""Import and export of peers, from the list's page: staff review every row of a file before the hub stores one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from core.actors import actor_of
from core.admin.row_pages import RowPagesMixin
from core.errors import HubError
from peers.admin.labels import plural
from peers.admin.peer_forms import ImportForm
from peers.models import Peer
from peers.services.trust.peer_imports import ImportRow, Verdict, export_csv, export_json, import_rows, review

VERDICTS = {
    Verdict.NEW: {"text": "new", "type": "success"},
    Verdict.AGAIN: {"text": "again", "type": "info"},
    Verdict.KNOWN: {"text": "known", "type": "default"},
    Verdict.REFUSED: {"text": "refused", "type": "danger"},
}
MAX_REFUSALS_SHOWN = 20


class ImportExportMixin(RowPagesMixin):
    """Adds the buttons Import and Export above the list of peers, and serves their pages."""

    actions_list = ["import_peers", {"title": "Export for another hub", "items": ["export_as_csv", "export_as_json"]}]

    @action(description="Import", icon="upload", permissions=["add"], url_path="import")
    def import_peers(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST or None, request.FILES or None)
        context: dict[str, Any] = {"form": form, "back_url": _list_url()}
        if request.method == "POST" and form.is_valid():
            try:
                rows = review(form.cleaned_data["text"])
            except HubError as error:
                form.add_error(None, error.message)
            else:
                if "store" in request.POST:
                    return self._store(request, rows)
                context |= {"text": form.cleaned_data["text"], **_review_of(rows)}
        return self.extra_page(request, "peers/import_peers.html", "Import peers", context)

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may take a file of all peers, with notes and keys; to view peers is not enough."""
        return self.has_view_permission(request) and request.user.has_perm("peers.export_peer")

    @action(description="As CSV", icon="table", permissions=["export"], url_path="export-csv")
    def export_as_csv(self, request: HttpRequest) -> HttpResponse:
        return _download(export_csv(Peer.objects.prefetch_related("keys")), "csv", "text/csv")

    @action(description="As JSON", icon="data_object", permissions=["export"], url_path="export-json")
    def export_as_json(self, request: HttpRequest) -> HttpResponse:
        return _download(export_json(Peer.objects.prefetch_related("keys")), "json", "application/json")

    def _store(self, request: HttpRequest, rows: list[ImportRow]) -> HttpResponse:
        """Store the ticked rows. `rows` is a fresh review: a peer may have been added since the page was shown."""
        picked = set(request.POST.getlist("row"))
        outcome = import_rows([row for row in rows if str(row.number) in picked], by=actor_of(request.user))
        for refusal in outcome.refusals[:MAX_REFUSALS_SHOWN]:
            messages.error(request, refusal)
        count = outcome.proposed
        text = f"{plural(count, 'peer')} proposed. Open each peer to compare its key and approve it."
        messages.success(request, text) if count else messages.warning(request, "Nothing was imported.")
        return self.redirect_to(request, _list_url())


def _review_of(rows: list[ImportRow]) -> dict[str, Any]:
    return {
        "rows": [{"row": row, "verdict": VERDICTS[row.verdict]} for row in rows],
        "storable": sum(row.is_storable for row in rows),
        "left_out": sum(not row.is_storable for row in rows),
    }


def _download(text: str, ending: str, content_type: str) -> HttpResponse:
    name = f"peers-to-import-{timezone.localdate():%Y-%m-%d}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def _list_url() -> str:
    return reverse("admin:peers_peer_changelist")
