"""Keys of peers: what was seen where, and the decision that trusts a changed one or ends one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.labels import format_time
from core.admin.read_only import ReadOnlyAdmin
from core.admin.refusals import show_refusals
from peers.admin.forms import KeyApprovalForm, RequiredReasonForm
from peers.admin.pages import KEY_COLORS, ORIGINS, PagesMixin, code, key_state, peer_link, short, when
from peers.admin.peer_actions import dialog
from peers.models import KeyOrigin, KeyState, PeerKey, PeerState
from peers.services.trust.keys import approve_key, revoke_key


@admin.register(PeerKey)
class PeerKeyAdmin(PagesMixin, ReadOnlyAdmin):
    """Every key that a peer has shown."""

    list_display = ["key", "peer_page", "state_label", "seen", "continuity", "first_seen", "counts_until"]
    list_display_links = ["key"]
    list_select_related = ["peer"]
    list_filter = [("state", ChoicesDropdownFilter), ("origin", ChoicesDropdownFilter)]
    search_fields = ["peer__server_url", "peer__display_name", "=public_key"]
    search_help_text = "Peer, or the whole key in base64"
    list_per_page = 50
    fieldsets = [
        (None, {"fields": ["peer_page", "full_fingerprint", "public_key_text", "state_label"]}),
        ("Where it comes from", {"fields": ["seen", "continuity", "first_seen"]}),
        ("Validity", {"fields": ["valid_from", "counts_until"]}),
    ]
    empty_hint = "Keys appear here when a peer's documents are fetched. Open a peer and press Fetch documents."
    empty_link = ("Go to the peers", "admin:peers_peer_changelist")
    actions_detail = ["approve", "revoke"]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = PeerKey.objects.select_related("peer").filter(pk=object_id).first()
        fitting = _fitting(key) if key and self.has_decide_permission(request) else set()
        allowed = super().get_actions_detail(request, object_id)
        return [found for found in allowed if found.method.original_function_name in fitting]

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may decide about keys: whoever may change their peers."""
        return bool(request.user.has_perm("peers.change_peer"))

    @action(
        description="Approve…",
        icon="verified_user",
        variant=ActionVariant.PRIMARY,
        permissions=["decide"],
        url_path="approve",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.found(request, object_id)
        form = KeyApprovalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            typed, by = form.cleaned_data, actor_of(request.user)
            with show_refusals(request):
                approve_key(key, overlap_days=typed["overlap_days"], by=by, reason=typed["reason"])
                messages.success(request, _what_pinning_means(typed["overlap_days"]))
            return self.go(request, self.back(object_id))
        pinned = key.peer.keys.filter(state=KeyState.PINNED)
        context = {"key": key, "form": form, "pinned": pinned, "back_url": self.back(object_id)}
        return self.page(request, "peers/approve_key.html", f"A changed key of {key.peer}", context)

    @action(
        description="Revoke",
        icon="key_off",
        variant=ActionVariant.DANGER,
        permissions=["decide"],
        url_path="revoke",
        dialog=dialog(
            "Revoke",
            "Nothing that it signed is taken from now on, and it cannot be approved again. A proposed key is turned "
            "down for good.",
            RequiredReasonForm,
        ),
    )
    def revoke(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        key = self.found(request, object_id)
        with show_refusals(request):
            revoke_key(key, by=actor_of(request.user), reason=form.cleaned_data["reason"])
            messages.success(request, "The key is revoked: whatever it signs is refused from now on.")
        return self.go(request, self.back(object_id))

    def heading_of(self, row: PeerKey) -> str:
        return f"Key {short(row.fingerprint)} of {row.peer}"

    @display(description="Fingerprint")
    def key(self, key: PeerKey) -> str:
        return short(key.fingerprint)

    @display(description="Peer", ordering="peer__server_url")
    def peer_page(self, key: PeerKey) -> SafeString | str:
        return peer_link(key.peer)

    @display(description="Fingerprint (SHA-256)")
    def full_fingerprint(self, key: PeerKey) -> SafeString:
        return code(key.fingerprint)

    @display(description="Public key (base64)")
    def public_key_text(self, key: PeerKey) -> SafeString:
        return code(key.public_key)

    @display(description="State", ordering="state", label=KEY_COLORS)
    def state_label(self, key: PeerKey) -> str:
        return key_state(key, timezone.now())

    @display(description="Seen", ordering="origin")
    def seen(self, key: PeerKey) -> str:
        return ORIGINS[KeyOrigin(key.origin)]

    @display(description="Continuity", label={"signed by the key before it": "success"})
    def continuity(self, key: PeerKey) -> str | None:
        return "signed by the key before it" if key.is_continuous else None

    @display(description="First seen", ordering="created_at")
    def first_seen(self, key: PeerKey) -> str:
        return when(key.created_at)

    @display(description="Counts until", ordering="valid_until")
    def counts_until(self, key: PeerKey) -> str:
        return format_time(key.valid_until) if key.valid_until else "no end set"


def _what_pinning_means(overlap_days: int) -> str:
    if not overlap_days:
        return "The key is pinned, and the only one that counts."
    return f"The key is pinned. Older keys count for {overlap_days} more day{'' if overlap_days == 1 else 's'}."


def _fitting(key: PeerKey) -> set[str]:
    """Return the actions that fit: a first key is approved with its peer, not here."""
    if key.state == KeyState.REVOKED:
        return set()
    is_change = key.state == KeyState.PROPOSED and key.peer.state == PeerState.APPROVED
    return {"approve", "revoke"} if is_change else {"revoke"}
