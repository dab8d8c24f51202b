"""Peers: their list, the form that adds one, and the page with a peer's state, settings and actions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from core.actors import actor_of
from core.admin.cells import time_since
from core.admin.linked_filters import OldestFirstMixin
from core.admin.list_page import ListPageMixin
from core.admin.refused_forms import RefusalOnFormMixin
from core.admin.saving import UnitOfWorkMixin
from core.store.days import hub_today
from peers.admin.composer.links import may_compose
from peers.admin.import_export import ImportExportMixin
from peers.admin.labels import MESSAGES_PAUSED, PEER_COLORS, peer_state, plural
from peers.admin.list_pages import PEER_EXPORT, PEER_TABS, TO_DECIDE
from peers.admin.many_peers import ManyPeersMixin
from peers.admin.peer_actions import PeerActionsMixin
from peers.admin.peer_forms import PeerAddForm, PeerForm
from peers.admin.peer_overview import overview_of
from peers.admin.this_hub import ThisHubMixin
from peers.models import KeyState, KeyWithdrawal, Peer, PeerState
from peers.services.outbox.pauses import pause_end
from peers.services.trust.peers import add_peer, change_settings
from peers.services.trust.standing import Standing, has_no_trusted_key, review_is_due, standing, with_standing

REVIEW_DUE = "Review due"
DECISION_COLORS = {
    "New peer": "info",
    "New key to compare": "info",
    "Changed key": "warning",
    "Withdrawn key": "danger",
    REVIEW_DUE: "warning",
    "No trusted key": "danger",
}
# Of a pinned key; a condition on `keys__withdrawal` follows.
WITHDREW_A_KEY = Q(state=PeerState.APPROVED, keys__state=KeyState.PINNED)


class WaitingForStaffFilter(DropdownFilter):
    """Keeps the peers that wait for staff."""

    title = "waits for staff"
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("review", "Review is due"),
            ("key", "Has a changed key"),
            ("no_key", "Has no trusted key"),
            ("withdrawn", "Withdrew a key"),
            *((way.value, f"Has a key {way.label}") for way in KeyWithdrawal),
            ("stranger", "Proposed itself"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Peer]) -> QuerySet[Peer]:
        wanted = {
            "review": review_is_due(),
            "key": Q(state=PeerState.APPROVED, keys__state=KeyState.PROPOSED, keys__withdrawal=""),
            "no_key": has_no_trusted_key(),
            "withdrawn": WITHDREW_A_KEY & Q(keys__withdrawal__gt=""),
            **{way.value: WITHDREW_A_KEY & Q(keys__withdrawal=way) for way in KeyWithdrawal},
            "stranger": Q(state=PeerState.PROPOSED) & ~Q(proposed_from=""),
        }
        if self.value() not in wanted:
            return queryset
        # The list's own order is set after the filters.
        return queryset.filter(wanted[self.value()]).order_by().distinct()


@admin.register(Peer)
class PeerAdmin(
    OldestFirstMixin,
    RefusalOnFormMixin,
    UnitOfWorkMixin,
    ImportExportMixin,
    PeerActionsMixin,
    ThisHubMixin,
    ManyPeersMixin,
    ListPageMixin,
):
    """The admin page of peers: the state and the settings of a peer, and staff's decisions about the peer."""

    list_display = ["name", "state_label", "to_decide", "waits", "relationship_label", "review", "attempts", "added"]
    list_filter = [("state", ChoicesDropdownFilter), ("relationship", ChoicesDropdownFilter), WaitingForStaffFilter]
    list_filter_submit = True
    oldest_first = {
        ("look", "review"): "review_by",
        ("look", "no_key"): "updated_at",
        ("state__exact", "proposed"): "created_at",
    }
    opens_on = TO_DECIDE
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["server_url", "display_name", "did", "notes"]
    tabs, export_fields = PEER_TABS, PEER_EXPORT
    date_field, date_title = "created_at", "Added"
    search_help_text = "URL, name, DID or notes"
    change_form_outer_before_template = "peers/peer_overview.html"
    empty_hint = (
        "Add the hub of another organization by its URL, fetch its documents, compare its key's fingerprint with its "
        "staff, and approve it. Then both hubs can send each other work."
    )

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("fedhub/dashboard.css", "fedhub/peers.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Peer]:
        return with_standing(super().get_queryset(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, **(kwargs | {"form": PeerForm if obj else PeerAddForm}))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["server_url", "did", "public_key", "relationship", "notes"]})]
        return [
            ("Settings", {"fields": ["display_name", "relationship", "notes", "review_by"]}),
            ("Requirements", {"fields": ["requires_signature", "callback_origins"]}),
        ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "notes" and field:
            field.widget.attrs["rows"] = 3
        return field

    def save_model(self, request: HttpRequest, obj: Peer, form: Any, change: bool) -> None:
        by, typed = actor_of(request.user), form.cleaned_data
        if change:
            stored = Peer.objects.get(pk=obj.pk)
            change_settings(stored, form.settings, by=by)
        else:
            named = {name: typed[name] for name in ("did", "public_key", "relationship", "notes")}
            stored = add_peer(typed["server_url"], by=by, **named)
            obj.pk, obj._state.adding = stored.pk, False
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Peer, post_url_continue: Any = None) -> HttpResponse:
        # The next steps (fetch, compare, approve) are buttons of the peer's own page.
        return self.redirect_to(request, self.row_url(obj.pk))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            context.update(
                overview_of(obj), log_warnings=self.log_warnings(request, obj), may_compose=may_compose(request)
            )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Peer", header=True, ordering="server_url")
    def name(self, peer: Peer) -> list[str]:
        return [peer.display_name or peer.server_url, peer.server_url if peer.display_name else peer.did]

    @display(description="State", ordering="state", label=PEER_COLORS)
    def state_label(self, peer: Any) -> str:
        found = peer_state(peer, _standing(peer))
        is_paused = found == PeerState.APPROVED.label and pause_end(peer, now=timezone.now()) is not None
        return MESSAGES_PAUSED if is_paused else found

    @display(description="To decide", label=DECISION_COLORS)
    def to_decide(self, peer: Any) -> str | None:
        return _decision(peer)

    @display(description="Waits since", ordering="waits_since")
    def waits(self, peer: Any) -> str:
        if (decision := _decision(peer)) == REVIEW_DUE:
            # A review has a day and no time.
            days = (hub_today() - peer.review_by).days
            return f"{plural(days, 'day')} ago" if days else "today"
        return time_since(peer.waits_since) if decision else "-"

    @display(description="Relationship", ordering="relationship")
    def relationship_label(self, peer: Peer) -> str:
        return peer.get_relationship_display()

    @display(description="Review by", ordering="review_by", label={True: "danger"})
    def review(self, peer: Peer) -> Any:
        if peer.review_by is None:
            return None
        is_due = peer.state == PeerState.APPROVED and peer.review_by <= hub_today()
        return (True, f"{peer.review_by} due") if is_due else str(peer.review_by)

    @display(description="Its requests", ordering="attempt_count")
    def attempts(self, peer: Peer) -> str:
        if not peer.attempt_count:
            return "-"
        return "once" if peer.attempt_count == 1 else f"{peer.attempt_count:,} times"

    @display(description="Added", ordering="created_at")
    def added(self, peer: Peer) -> str:
        return time_since(peer.created_at)


def _standing(peer: Any) -> Standing:
    return standing(trusted_keys=peer.trusted_keys, all_keys=peer.all_keys, valid_tokens=peer.valid_tokens)


def _decision(peer: Any) -> str | None:
    """Return what staff have to decide about a peer first: a key of `DECISION_COLORS`, or None."""
    if peer.state == PeerState.PROPOSED:
        return "New key to compare" if peer.proposed_keys else "New peer"
    if peer.state != PeerState.APPROVED:
        return None
    if peer.proposed_keys:
        return "Changed key"
    if peer.withdrawn_key_since:
        return "Withdrawn key"
    if peer.review_by and peer.review_by <= hub_today():
        return REVIEW_DUE
    return "No trusted key" if _standing(peer) == Standing.NO_KEY else None
