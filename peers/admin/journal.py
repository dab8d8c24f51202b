"""The journal: decisions about peers and messages between hubs, with links to the rows that a line is about."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from core.actors import actor_of
from core.admin.cells import copyable, once_a_row, row_link, time_since
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import RequiredReasonForm, dialog
from peers.admin.labels import peer_link
from peers.admin.list_pages import JOURNAL_EXPORT, JOURNAL_TABS
from peers.admin.refusal_help import help_for
from peers.admin.work.trace_table import trace_table
from peers.models import Dispatch, JournalEntry, JournalKind, Peer, ReceivedDispatch
from peers.services.inbox.explain.refused import checks_of_line
from peers.services.journal_words import line_words
from peers.services.trust.log_sealing import start_log

KIND_COLORS = {
    JournalKind.PEER.label: "primary",
    JournalKind.KEY.label: "warning",
    JournalKind.RESTORED.label: "warning",
    JournalKind.DISPATCH.label: "info",
    JournalKind.RECEIVE.label: "success",
    JournalKind.REFUSED.label: "danger",
    JournalKind.LOG.label: "warning",
}
MAX_ID_CHARS = 13
HEADING_CHARS = 60


class JournalChangeList(ListChangeList):
    """A list of journal lines, which reads the peers of a page at once: a line has only the URL of its peer."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        urls = {line.peer_url for line in self.result_list} - {""}
        peers = {peer.server_url: peer for peer in Peer.objects.filter(server_url__in=urls)} if urls else {}
        for line in self.result_list:
            line.found_peer = peers.get(line.peer_url)


@admin.register(JournalEntry)
class JournalEntryAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of the journal: a line for each decision about a peer and each message between hubs."""

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("fedhub/peers.css",)}

    actions_list = ["start_log"]
    list_display = ["when", "kind_label", "said", "peer", "dispatch", "by"]
    list_display_links = ["when", "said"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    list_fullwidth = True
    list_per_page = 100
    search_fields = ["peer_url", "dispatch_id__exact", "text", "actor_name"]
    tabs, export_fields = JOURNAL_TABS, JOURNAL_EXPORT
    date_field, date_title = "at", "When"
    search_help_text = "Peer, dispatch id, text or person"
    fields = ["at", "kind_label", "said", "peer_page", "dispatch_page", "by", "in_log", "digest"]
    change_form_outer_before_template = "peers/journal_line.html"
    empty_hint = "The hub writes a line for every decision about a peer and for every message between hubs."

    def heading_of(self, row: JournalEntry) -> str:
        # The page has the whole text, and the heading is one line.
        return Truncator(line_words(row.kind, row.text)).chars(HEADING_CHARS)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        checks, reason = checks_of_line(obj)
        context["trace"] = trace_table(checks)
        context["help"] = help_for(request, obj, reason) if reason else None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def has_start_log_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may begin another federation log."""
        return self.has_view_permission(request) and request.user.has_perm("peers.change_federationlog")

    @action(
        description="Begin another log",
        icon="restart_alt",
        permissions=["start_log"],
        url_path="start-log",
        dialog=dialog(
            "Begin another log",
            "After a restore from a backup the peers hold checkpoints that this hub's log does not have, and "
            "verify_log reports a fork. Another log goes on from here under another id, with your reason as its first "
            "entry. Tell the peers' staff: their hubs show it, and they acknowledge it.",
            RequiredReasonForm,
        ),
    )
    def start_log(self, request: HttpRequest, form: RequiredReasonForm) -> HttpResponse:
        with show_refusals(request):
            log_id = start_log(reason=form.cleaned_data["reason"], by=actor_of(request.user))
            messages.success(request, f"The log {log_id} has begun. Tell the staff of your peers.")
        return self.redirect_to(request, reverse("admin:peers_journalentry_changelist"))

    @display(description="When", ordering="at")
    def when(self, entry: JournalEntry) -> str:
        return time_since(entry.at)

    @display(description="About", ordering="kind", label=KIND_COLORS)
    def kind_label(self, entry: JournalEntry) -> str:
        return entry.get_kind_display()

    @display(description="Text", ordering="text")
    def said(self, entry: JournalEntry) -> str:
        return line_words(entry.kind, entry.text)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JournalChangeList]:
        return JournalChangeList

    @display(description="Peer", ordering="peer_url")
    def peer(self, entry: JournalEntry) -> SafeString | str:
        return peer_link(getattr(entry, "found_peer", None), entry.peer_url)

    @display(description="Dispatch", ordering="dispatch_id")
    def dispatch(self, entry: JournalEntry) -> SafeString | str:
        return lines_link(entry.dispatch_id) if entry.dispatch_id else "-"

    @display(description="By", ordering="actor_name")
    def by(self, entry: JournalEntry) -> str:
        return entry.actor_name or "the hub"

    @display(description="Federation log")
    def in_log(self, entry: JournalEntry) -> str:
        return f"position {entry.position}" if entry.position else "not sealed yet"

    @display(description="Peer")
    @once_a_row
    def peer_page(self, entry: JournalEntry) -> SafeString | str:
        found = Peer.objects.filter(server_url=entry.peer_url).first() if entry.peer_url else None
        return peer_link(found, entry.peer_url)

    @display(description="Dispatch")
    @once_a_row
    def dispatch_page(self, entry: JournalEntry) -> SafeString | str:
        return dispatch_link(entry.dispatch_id) if entry.dispatch_id else "-"


def journal_url(query: str) -> str:
    """Return the address of the journal's page with the lines that match `query`."""
    return f"{reverse('admin:peers_journalentry_changelist')}?{urlencode({'q': query})}"


def refusals_url(peer_url: str = "") -> str:
    """Return the address of the journal's page with the messages that the hub refused: all, or those of one peer."""
    query = {"tab": JournalKind.REFUSED.value} | ({"q": peer_url} if peer_url else {})
    return f"{reverse('admin:peers_journalentry_changelist')}?{urlencode(query)}"


def lines_link(dispatch_id: str) -> SafeString:
    """Return the first characters of a dispatch's id as a link to all journal lines about the dispatch."""
    is_short = len(dispatch_id) <= MAX_ID_CHARS
    text = dispatch_id if is_short else f"{dispatch_id[: MAX_ID_CHARS - 1]}…"
    return format_html('<a class="text-link" href="{}" title="{}">{}</a>', journal_url(dispatch_id), dispatch_id, text)


def dispatch_link(dispatch_id: str) -> SafeString | str:
    """Return a link with the intent's title to the sent or received dispatch of this id; only the id without a row."""
    sent = Dispatch.objects.filter(pk=dispatch_id).first()
    if sent:
        return row_link(sent, sent.intent_title or dispatch_id)
    received: Any = ReceivedDispatch.objects.filter(dispatch_id=dispatch_id).select_related("intent").first()
    if received is None:
        return copyable(dispatch_id)
    return row_link(received, received.intent.title if received.intent else dispatch_id)
