"""Keys of peers: where the hub saw each key, and the actions that approve a changed key or revoke a key."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.cells import copyable, time_since
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import dialog
from peers.admin.effects import RevokeKeyForm, joined, key_parts
from peers.admin.fingerprints import shown_fingerprint
from peers.admin.labels import (
    KEY_COLORS,
    SIGNED_BY_PREVIOUS,
    WITHDRAWAL_COLORS,
    key_origin,
    key_state,
    peer_link,
    plural,
    short_fingerprint,
    trusted_until,
)
from peers.admin.list_pages import KEY_EXPORT, KEY_TABS
from peers.admin.peer_forms import KeyApprovalForm
from peers.models import KeyState, PeerKey, PeerState
from peers.services.trust.keys import approve_key, revoke_key


@admin.register(PeerKey)
class PeerKeyAdmin(RowPagesMixin, ReadOnlyAdmin):
    """The admin page of peers' keys: fingerprint and origin of a key, and how long this hub trusts the key."""

    list_display = ["key", "peer_page", "state_label", "seen", "continuity", "withdrawn", "first_seen", "trusted_until"]
    list_display_links = ["key"]
    list_select_related = ["peer"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        ("withdrawal", ChoicesDropdownFilter),
    ]
    search_fields = ["peer__server_url", "peer__display_name", "public_key__exact"]
    tabs, export_fields = KEY_TABS, KEY_EXPORT
    date_field, date_title = "created_at", "First seen"
    search_help_text = "Peer, or the whole key in base64"
    list_per_page = 50
    fieldsets = [
        (None, {"fields": ["peer_page", "full_fingerprint", "public_key_text", "state_label"]}),
        ("Origin", {"fields": ["seen", "continuity", "first_seen"]}),
        ("Validity", {"fields": ["valid_from", "trusted_until", "withdrawn"]}),
    ]
    empty_hint = "Keys appear here after the hub has fetched a peer's documents. Open a peer and press Fetch documents."
    empty_link = ("Go to the peers", "admin:peers_peer_changelist")
    actions_detail = ["approve", "revoke"]

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("fedhub/peers.css",)}

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        key = PeerKey.objects.select_related("peer").filter(pk=object_id).first()
        return _actions_of(key) if key else set()

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may decide about keys: everyone who may change peers may."""
        return bool(request.user.has_perm("peers.change_peer"))

    @action(
        description="Approve…",
        icon="verified_user",
        variant=ActionVariant.PRIMARY,
        permissions=["decide"],
        url_path="approve",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.row_or_404(request, object_id)
        form = KeyApprovalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            typed, by = form.cleaned_data, actor_of(request.user)
            with show_refusals(request):
                approve_key(key, overlap_days=typed["overlap_days"], by=by, reason=typed["reason"])
                messages.success(request, _message_of_approval(typed["overlap_days"]))
            return self.redirect_to(request, self.row_url(object_id))
        pinned = key.peer.keys.filter(state=KeyState.PINNED)
        shown, back = shown_fingerprint(key.fingerprint), self.row_url(object_id)
        context = {"key": key, "shown": shown, "form": form, "pinned": pinned, "back_url": back}
        return self.extra_page(request, "peers/approve_key.html", f"Approve a changed key of {key.peer}", context)

    @action(
        description="Revoke",
        icon="key_off",
        variant=ActionVariant.DANGER,
        permissions=["decide"],
        url_path="revoke",
        dialog=dialog(
            "Revoke",
            "From now on the hub refuses every message that this key signed. A revoked key cannot be approved again. "
            "Revoke a proposed key to reject it.",
            RevokeKeyForm,
        ),
    )
    def revoke(self, request: HttpRequest, form: RevokeKeyForm, object_id: str) -> HttpResponse:
        key = self.row_or_404(request, object_id)
        with show_refusals(request):
            found = revoke_key(key, by=actor_of(request.user), reason=form.cleaned_data["reason"])
            left = joined(key_parts(found)) if found.is_trusted else ""
            messages.success(request, f"The key is revoked. {left}The hub refuses every message that it signed.")
        return self.redirect_to(request, self.row_url(object_id))

    def heading_of(self, row: PeerKey) -> str:
        return f"Key {short_fingerprint(row.fingerprint)} of {row.peer}"

    @display(description="Fingerprint")
    def key(self, key: PeerKey) -> str:
        return short_fingerprint(key.fingerprint)

    @display(description="Peer", ordering="peer__server_url")
    def peer_page(self, key: PeerKey) -> SafeString | str:
        return peer_link(key.peer)

    @display(description="Fingerprint (SHA-256)")
    def full_fingerprint(self, key: PeerKey) -> SafeString:
        return render_to_string("peers/fingerprint.html", {"shown": shown_fingerprint(key.fingerprint)})

    @display(description="Public key (base64)")
    def public_key_text(self, key: PeerKey) -> SafeString | str:
        return copyable(key.public_key)

    @display(description="State", ordering="state", label=KEY_COLORS)
    def state_label(self, key: PeerKey) -> str:
        return key_state(key, timezone.now())

    @display(description="Origin", ordering="origin")
    def seen(self, key: PeerKey) -> str:
        return key_origin(key)

    @display(description="Continuity", label={SIGNED_BY_PREVIOUS: "success"})
    def continuity(self, key: PeerKey) -> str | None:
        return SIGNED_BY_PREVIOUS if key.is_continuous else None

    @display(description="Its owner says", label=WITHDRAWAL_COLORS)
    def withdrawn(self, key: PeerKey) -> str | None:
        return key.get_withdrawal_display() or None

    @display(description="First seen", ordering="created_at")
    def first_seen(self, key: PeerKey) -> str:
        return time_since(key.created_at)

    @display(description="Trusted until", ordering="valid_until")
    def trusted_until(self, key: PeerKey) -> str:
        return trusted_until(key)


def _message_of_approval(overlap_days: int) -> str:
    if not overlap_days:
        return "The key is pinned. The hub trusts no older key of this peer."
    return f"The key is pinned. Older keys stay valid for {plural(overlap_days, 'day')}."


def _actions_of(key: PeerKey) -> set[str]:
    """Return the actions that a key's state allows. Staff approve a peer's first key on the page of the peer."""
    if key.state == KeyState.REVOKED:
        return set()
    is_change = key.state == KeyState.PROPOSED and key.is_offered and key.peer.state == PeerState.APPROVED
    return {"approve", "revoke"} if is_change else {"revoke"}
