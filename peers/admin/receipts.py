"""Receipts: what became of ended dispatches, signed by both hubs, and where the two books differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from core.admin.cells import once_a_row, time_since
from core.admin.list_export import CHUNK_ROWS
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin
from core.admin.row_pages import RowPagesMixin
from peers.admin.journal import dispatch_link
from peers.admin.json_fields import json_as_fields
from peers.admin.labels import EVENT_COLORS, event_name, peer_link, title_of_received
from peers.admin.list_pages import RECEIPT_EXPORT, RECEIPT_TABS
from peers.models import Dispatch, DispatchReceipt, ReceiptStanding, ReceivedDispatch

STANDING_COLORS = {
    ReceiptStanding.ONE.label: "info",
    ReceiptStanding.BOTH.label: "success",
    ReceiptStanding.DIFFERS.label: "danger",
}
WAITING = "Only this hub has signed: the peer makes no receipts, or has not answered yet."


class ReceiptChangeList(ListChangeList):
    """A list of receipts, which reads the titles of a page's work at once."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = _with_titles(self.result_list)


@admin.register(DispatchReceipt)
class DispatchReceiptAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of receipts."""

    list_display = ["state_label", "title", "dispatch_id", "direction", "peer_column", "event", "differs_text", "made"]
    list_display_links = ["title", "dispatch_id"]
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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return ReceiptChangeList

    def exported(self, rows: Iterator[DispatchReceipt]) -> Iterator[DispatchReceipt]:
        while chunk := _with_titles(islice(rows, CHUNK_ROWS)):
            yield from chunk

    def heading_of(self, row: DispatchReceipt) -> str:
        (titled,) = _with_titles([row])
        return f"Receipt of “{titled.work_title}”" if titled.work_title else f"Receipt of {row.dispatch_id}"

    @display(description="Work")
    def title(self, receipt: Any) -> str:
        return receipt.work_title or "-"

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


def _with_titles(rows: Iterable[Any]) -> list[Any]:
    """Return the receipts, each with the title of its work as `work_title`; "" where the dispatch was deleted."""
    found = list(rows)
    if not found:
        return []
    sent_ids = [row.dispatch_id for row in found if row.is_sent]
    got_ids = [row.dispatch_id for row in found if not row.is_sent]
    sent = dict(Dispatch.objects.filter(pk__in=sent_ids).values_list("pk", "intent_title")) if sent_ids else {}
    received = ReceivedDispatch.objects.filter(dispatch_id__in=got_ids).select_related("intent") if got_ids else ()
    got = {(row.peer_id, row.dispatch_id): title_of_received(row) for row in received}
    for row in found:
        named = sent.get(row.dispatch_id) if row.is_sent else got.get((row.peer_id, row.dispatch_id))
        row.work_title = named or ""
    return found
