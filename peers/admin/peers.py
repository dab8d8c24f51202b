"""Peers: the list, the panel that says how one stands and who decided so, and the settings that are no decisions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from core.actors import actor_of
from core.admin.labels import label
from core.admin.saving import UnitOfWorkMixin
from core.errors import HubError
from peers.admin.forms import PeerAddForm, PeerForm
from peers.admin.imports import ImportsMixin
from peers.admin.journal import journal_url
from peers.admin.pages import STATE_COLORS, key_table, link, short, when
from peers.admin.peer_actions import AFTER, PeerActionsMixin
from peers.models import Dispatch, JournalEntry, KeyState, Peer, PeerDecision, PeerState, ReceivedDispatch
from peers.services.trust.peers import add_peer, change_settings

RECENT = 8


class AttentionFilter(DropdownFilter):
    """Keep the peers that somebody should look at."""

    title = "needs a look"
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("review", "Review is due"), ("key", "Changed key waits"), ("stranger", "Proposed by itself")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Peer]) -> QuerySet[Peer]:
        wanted = {
            "review": Q(state=PeerState.APPROVED, review_by__lte=timezone.localdate()),
            "key": Q(state=PeerState.APPROVED, keys__state=KeyState.PROPOSED),
            "stranger": Q(state=PeerState.PROPOSED) & ~Q(proposed_from=""),
        }
        return queryset.filter(wanted[self.value()]).distinct() if self.value() in wanted else queryset


@admin.register(Peer)
class PeerAdmin(UnitOfWorkMixin, ImportsMixin, PeerActionsMixin):
    """Whom we know and how far we trust them."""

    list_display = ["name", "state_label", "relationship_label", "keys_label", "review", "attempts", "added"]
    list_filter = [("state", ChoicesDropdownFilter), ("relationship", ChoicesDropdownFilter), AttentionFilter]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["server_url", "display_name", "did", "notes"]
    search_help_text = "URL, name, DID or notes"
    warn_unsaved_form = True
    actions = None
    change_form_outer_before_template = "peers/overview.html"
    empty_hint = (
        "Add the hub of another organization by its URL, fetch its documents, compare its key's fingerprint with its "
        "people, and approve it. Then work can be sent and received."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Peer]:
        pinned = Count("keys", filter=Q(keys__state=KeyState.PINNED), distinct=True)
        proposed = Count("keys", filter=Q(keys__state=KeyState.PROPOSED), distinct=True)
        return super().get_queryset(request).annotate(pinned_keys=pinned, proposed_keys=proposed)  # type: ignore[no-any-return]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **(kwargs | {"form": PeerForm if obj else PeerAddForm}))
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", "")})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["server_url", "did", "public_key", "relationship", "notes"]})]
        return [
            ("Settings", {"fields": ["display_name", "relationship", "notes", "review_by"]}),
            ("What is asked of it", {"fields": ["requires_signature", "callback_origins"]}),
        ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "notes" and field:
            field.widget.attrs["rows"] = 3
        return field

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except HubError as error:
            # The transaction is undone by now. Show the form again, with what was typed and why it was refused.
            request.refusal = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Peer, form: Any, change: bool) -> None:
        by, typed = actor_of(request.user), form.cleaned_data
        if change:
            stored = Peer.objects.get(pk=obj.pk)
            change_settings(stored, form.wanted, by=by)
        else:
            named = {name: typed[name] for name in ("did", "public_key", "relationship", "notes")}
            stored = add_peer(typed["server_url"], by=by, **named)
            obj.pk, obj._state.adding = stored.pk, False
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Peer, post_url_continue: Any = None) -> HttpResponse:
        # What comes next is on the peer's own page: fetch, compare, approve.
        return self.go(request, self.back(obj.pk))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            context.update(overview_of(obj))
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="Peer", header=True, ordering="server_url")
    def name(self, peer: Peer) -> list[str]:
        return [peer.display_name or peer.server_url, peer.server_url if peer.display_name else peer.did]

    @display(description="State", ordering="state", label=STATE_COLORS)
    def state_label(self, peer: Peer) -> str:
        return peer.get_state_display()

    @display(description="Relationship", ordering="relationship")
    def relationship_label(self, peer: Peer) -> str:
        return peer.get_relationship_display()

    @display(description="Keys", label={"key change": "warning", "to compare": "info"})
    def keys_label(self, peer: Any) -> str:
        if peer.proposed_keys and peer.state in (PeerState.PROPOSED, PeerState.APPROVED):
            return "key change" if peer.state == PeerState.APPROVED else "to compare"
        return "pinned" if peer.pinned_keys else "none"

    @display(description="Review by", ordering="review_by", label={True: "danger"})
    def review(self, peer: Peer) -> Any:
        if peer.review_by is None:
            return None
        is_due = peer.state == PeerState.APPROVED and peer.review_by <= timezone.localdate()
        return (True, f"{peer.review_by} due") if is_due else str(peer.review_by)

    @display(description="Asked by itself", ordering="attempt_count")
    def attempts(self, peer: Peer) -> str:
        if not peer.attempt_count:
            return "-"
        return "once" if peer.attempt_count == 1 else f"{peer.attempt_count:,} times"

    @display(description="Added", ordering="created_at")
    def added(self, peer: Peer) -> str:
        return when(peer.created_at)


def overview_of(peer: Peer) -> dict[str, Any]:
    """Return what the panel above the form shows: state, warnings, keys, traffic, decisions and journal."""
    now = timezone.now()
    keys = list(peer.keys.all())
    waiting = [key for key in keys if key.state == KeyState.PROPOSED]
    return {
        "peer": peer,
        "state_label": label(peer.get_state_display(), STATE_COLORS),
        "changed_keys": waiting if peer.state == PeerState.APPROVED else [],
        "last_decision": peer.decisions.first(),
        "after": AFTER[peer.state],
        "is_quiet": _is_quiet(peer),
        "is_stranger": peer.state == PeerState.PROPOSED and bool(peer.proposed_from),
        "is_review_due": bool(
            peer.review_by and peer.state == PeerState.APPROVED and peer.review_by <= timezone.localdate()
        ),
        "is_without_key": peer.state == PeerState.PROPOSED and not keys,
        "circuit_open": bool(peer.circuit_open_until and peer.circuit_open_until > now),
        "key_table": key_table(keys, now),
        "cards": _cards(peer),
        "decision_table": _decision_table(peer),
        "journal_table": _journal_table(peer),
        "journal_url": journal_url(peer.server_url),
        "live_tokens": peer.tokens.filter(revoked_at=None, expires_at__gt=now).count(),
        "fetched": when(peer.documents_fetched_at) if peer.documents_fetched_at else "never",
    }


def _is_quiet(peer: Peer) -> bool:
    has_traffic = Dispatch.objects.filter(peer=peer).exists() or ReceivedDispatch.objects.filter(peer=peer).exists()
    return peer.state == PeerState.APPROVED and not has_traffic


def _cards(peer: Peer) -> list[dict[str, Any]]:
    own = f"?peer__id__exact={peer.pk}"
    sent, received = reverse("admin:peers_dispatch_changelist"), reverse("admin:peers_receiveddispatch_changelist")
    return [
        {
            "title": "Dispatches sent",
            "icon": "outbox",
            "href": sent + own,
            "number": Dispatch.objects.filter(peer=peer).count(),
        },
        {
            "title": "Dispatches received",
            "icon": "inbox",
            "href": received + own,
            "number": ReceivedDispatch.objects.filter(peer=peer).count(),
        },
    ]


def _decision_table(peer: Peer) -> dict[str, list[Any]]:
    rows = [
        [
            when(row.decided_at),
            f"{row.from_state or 'new'} → {row.to_state}",
            row.actor_name or "the hub",
            row.reason or "-",
            _key_of(row, peer),
            str(row.review_by or "-"),
        ]
        for row in peer.decisions.all()[:RECENT]
    ]
    return {"headers": ["When", "Decision", "By", "Why", "Key", "Review by"], "rows": rows}


def _key_of(decision: PeerDecision, peer: Peer) -> Any:
    if not decision.fingerprint:
        return "-"
    found = next((key for key in peer.keys.all() if key.fingerprint == decision.fingerprint), None)
    return link(found, short(decision.fingerprint)) if found else short(decision.fingerprint)


def _journal_table(peer: Peer) -> dict[str, list[Any]]:
    lines = JournalEntry.objects.filter(peer_url=peer.server_url)[:RECENT]
    rows = [[when(line.at), line.get_kind_display(), line.text, line.actor_name or "the hub"] for line in lines]
    return {"headers": ["When", "About", "What", "By"], "rows": rows}
