"""Receipts: what became of ended dispatches, signed by both hubs, and where the two books differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.admin.cells import once_a_row, time_since
from core.admin.read_only import ReadOnlyAdmin
from core.admin.row_pages import RowPagesMixin
from peers.admin.journal import dispatch_link
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import EVENT_COLORS, event_name, peer_link
from peers.admin.list_pages import RECEIPT_EXPORT, RECEIPT_TABS
from peers.models import Dispatch, DispatchReceipt, ReceiptStanding, ReceivedDispatch

STANDING_COLORS = {
    ReceiptStanding.ONE.label: "info",
    ReceiptStanding.BOTH.label: "success",
    ReceiptStanding.DIFFERS.label: "danger",
}
WAITING = "Only this hub has signed: the peer makes no receipts, or has not answered yet."


def titles_of(dispatch_ids: Sequence[str]) -> dict[str, str]:
    """Return the titles of the sent and received dispatches with these ids, in two queries."""
    received = ReceivedDispatch.objects.filter(dispatch_id__in=dispatch_ids, intent__isnull=False)
    sent = Dispatch.objects.filter(pk__in=dispatch_ids)
    return dict(received.values_list("dispatch_id", "intent__title")) | dict(sent.values_list("pk", "intent_title"))


@admin.register(DispatchReceipt)
class DispatchReceiptAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of receipts."""

    list_display = ["title", "state_label", "dispatch_id", "direction", "peer_column", "event", "differs_text", "made"]
    list_display_links = ["title"]
    list_filter = [("peer", RelatedDropdownFilter), ("is_sent", BooleanRadioFilter)]
    list_select_related = ["peer"]
    tabs, export_fields = RECEIPT_TABS, RECEIPT_EXPORT
    date_field, date_title = "made_at", "Made"
    search_fields = ["dispatch_id__exact", "peer__server_url"]
    search_help_text = "Peer or dispatch id"
    fields = [
        "state_label",
        "differs_text",
        "dispatch_page",
        "direction",
        "peer_column",
        "event",
        "made_at",
        "receipt_text",
        "answer_text",
    ]
    empty_hint = "The hub signs a receipt with each callback that ends received work, and answers those of its peers."

    def heading_of(self, row: DispatchReceipt) -> str:
        title = titles_of([row.dispatch_id]).get(row.dispatch_id)
        return f"Receipt of “{title}”" if title else f"Receipt of {row.dispatch_id}"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        titles = titles_of([row.dispatch_id for row in rows])
        for row in rows:
            row.work_title = titles.get(row.dispatch_id, "")
        found.result_list = rows
        return found

    @display(description="Work")
    def title(self, receipt: DispatchReceipt) -> str:
        return getattr(receipt, "work_title", "") or "Untitled work"

    @display(description="Signatures", ordering="standing", label=STANDING_COLORS)
    def state_label(self, receipt: DispatchReceipt) -> str:
        return receipt.get_standing_display()

    @display(description="Dispatch")
    @once_a_row
    def dispatch_page(self, receipt: DispatchReceipt) -> SafeString | str:
        return dispatch_link(receipt.dispatch_id)

    @display(description="Direction", ordering="is_sent")
    def direction(self, receipt: DispatchReceipt) -> str:
        return "sent" if receipt.is_sent else "received"

    @display(description="Peer", ordering="peer__server_url")
    def peer_column(self, receipt: DispatchReceipt) -> SafeString | str:
        return peer_link(receipt.peer)

    @display(description="Outcome", ordering="outcome", label=EVENT_COLORS)
    def event(self, receipt: DispatchReceipt) -> str:
        return event_name(receipt.outcome)

    @display(description="Differs in", ordering="differs")
    def differs_text(self, receipt: DispatchReceipt) -> str:
        return receipt.differs.replace(" ", ", ") or "-"

    @display(description="Made", ordering="made_at")
    def made(self, receipt: DispatchReceipt) -> str:
        return time_since(receipt.made_at)

    @display(description="Receipt")
    def receipt_text(self, receipt: DispatchReceipt) -> SafeString:
        return json_as_fields(receipt.receipt)

    @display(description="Countersignature")
    def answer_text(self, receipt: DispatchReceipt) -> Any:
        return json_as_fields(receipt.countersignature) if receipt.countersignature else WAITING
