"""The keys that staff pinned for agent cards: add a key, fetch a JWK Set again, retire a key."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from core.actors import actor_of
from core.admin.cells import copyable, time_since
from core.admin.labels import count_text
from core.admin.list_page import ListPageMixin
from core.admin.refusals import show_refusals
from core.admin.refused_forms import RefusalOnFormMixin, ShowsRefusal
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from core.store.documents import document_text
from federations.admin.filters import FederationFilter
from federations.admin.list_pages import CARD_KEY_EXPORT, CARD_KEY_TABS
from federations.models import CardKeyPin
from federations.services.access import card_keys_visible_to, federations_visible_to
from federations.services.card_keys import MAX_BYTES, fetch_card_keys, pin_card_key, retire_card_key

STATE_COLORS = {"in use": "success", "not fetched": "warning", "retired": "default"}


class CardKeyForm(ShowsRefusal, forms.ModelForm[CardKeyPin]):
    """A new pinned key: a public key or the address of a JWK Set."""

    jwk = forms.CharField(
        required=False,
        label="Public key (JWK)",
        max_length=MAX_BYTES,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="One public JSON Web Key with its kid: Ed25519, P-256, or RSA of 2048 bits or more. Compare it with "
        "the provider by another way than the card.",
    )
    jwks_url = forms.CharField(
        required=False,
        label="Or the address of a JWK Set",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://provider.example.org/jwks.json"}),
        help_text="A worker fetches the set once. Later keys count only after somebody presses Fetch again.",
    )

    class Meta:
        model = CardKeyPin
        fields = ["name", "federation", "organization", "note"]
        widgets = {"note": UnfoldAdminTextareaWidget(attrs={"rows": 3})}


class RetireForm(BaseDialogForm):
    """Asks why a key is taken out of use."""

    reason = forms.CharField(
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Say why the key no longer counts. The hub keeps the reason.",
    )


@admin.register(CardKeyPin)
class CardKeyPinAdmin(RefusalOnFormMixin, UnitOfWorkMixin, RowPagesMixin, ListPageMixin):
    """The admin page of pinned keys; a pinned key does not change, it is retired."""

    form = CardKeyForm
    tabs, export_fields = CARD_KEY_TABS, CARD_KEY_EXPORT
    date_field, date_title = "created_at", "Pinned"
    list_display = ["name", "state_label", "scope", "key_ids", "pinned"]
    list_filter = [("federation", FederationFilter)]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    list_select_related = ["federation"]
    list_fullwidth = True
    search_fields = ["name", "organization", "kid__exact", "jwks_url", "note"]
    search_help_text = "Name, organization, whole key id, address or note"
    actions = None
    actions_detail = ["fetch_again", "retire"]
    fields_of_row = [
        "name", "state_label", "scope", "key_ids", "address", "public_keys", "note", "pinned", "last_fetch", "retired",
    ]  # fmt: skip
    empty_hint = "Pin the key of a provider that signs its agent cards. The hub then shows which cards are genuine."

    def get_queryset(self, request: HttpRequest) -> QuerySet[CardKeyPin]:
        return card_keys_visible_to(request.user).select_related("federation")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.fields_of_row if obj else ["name", "jwk", "jwks_url", "federation", "organization", "note"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.fields_of_row if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may fetch and retire keys."""
        return bool(request.user.has_perm("federations.change_cardkeypin"))

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        pin = self.get_queryset(request).filter(pk=object_id).first()
        if pin is None or pin.is_retired:
            return set()
        return {"retire", "fetch_again"} if pin.jwks_url else {"retire"}

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = federations_visible_to(request.user).order_by("display_name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: CardKeyPin, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        names = ("name", "jwk", "jwks_url", "federation", "organization", "note")
        obj.pk = pin_card_key(**{name: typed[name] for name in names}, by=actor_of(request.user)).pk
        obj._state.adding = False

    @action(description="Fetch again", icon="refresh", permissions=["decide"], url_path="fetch-keys")
    def fetch_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        pin = self.row_or_404(request, object_id)
        with show_refusals(request):
            count = fetch_card_keys(pin)
            messages.success(request, f"The set has {count_text(count, 'usable key')}. The cards are checked again.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Retire",
        icon="key_off",
        variant=ActionVariant.DANGER,
        permissions=["decide"],
        url_path="retire-key",
        dialog={
            "title": "Retire",
            "description": "The key verifies no card from now on. A retired key cannot come back; pin it anew.",
            "form_class": RetireForm,
            "form_submit_text": "Retire",
        },
    )
    def retire(self, request: HttpRequest, form: RetireForm, object_id: str) -> HttpResponse:
        pin = self.row_or_404(request, object_id)
        with show_refusals(request):
            retire_card_key(pin, by=actor_of(request.user), reason=form.cleaned_data["reason"])
            messages.success(request, "The key is retired. The cards are checked again.")
        return self.redirect_to(request, self.row_url(object_id))

    @display(description="State", label=STATE_COLORS)
    def state_label(self, pin: CardKeyPin) -> str:
        if pin.is_retired:
            return "retired"
        return "in use" if pin.jwks else "not fetched"

    @display(description="Verifies the cards of")
    def scope(self, pin: CardKeyPin) -> str:
        place = f"federation {pin.federation}" if pin.federation else "every federation"
        return f"{pin.organization} in {place}" if pin.organization else place

    @display(description="Key ids")
    def key_ids(self, pin: CardKeyPin) -> str:
        return ", ".join(str(jwk["kid"]) for jwk in pin.jwks) or "-"

    @display(description="JWK Set")
    def address(self, pin: CardKeyPin) -> SafeString | str:
        return copyable(pin.jwks_url)

    @display(description="Public keys")
    def public_keys(self, pin: CardKeyPin) -> SafeString | str:
        return format_html_join("", "<p>{}</p>", ((copyable(document_text(jwk)),) for jwk in pin.jwks)) or "-"

    @display(description="Pinned", ordering="created_at")
    def pinned(self, pin: CardKeyPin) -> SafeString:
        by = f" by {pin.created_by_name}" if pin.created_by_name else ""
        return format_html("{}{}", time_since(pin.created_at), by)

    @display(description="Last fetch")
    def last_fetch(self, pin: CardKeyPin) -> SafeString | str:
        if not pin.jwks_url:
            return "-"
        if pin.fetch_error:
            return format_html("failed {}: {}", time_since(pin.tried_at), pin.fetch_error)
        return time_since(pin.fetched_at) if pin.fetched_at else "a worker will fetch it soon"

    @display(description="Retired")
    def retired(self, pin: CardKeyPin) -> SafeString | str:
        if not pin.is_retired:
            return "-"
        return format_html("{} by {}: {}", time_since(pin.retired_at), pin.retired_by_name, pin.retired_reason)
