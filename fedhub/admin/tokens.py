"""The admin pages of everybody's tokens, for administrators; a page never shows a token."""

from __future__ import annotations

from django.contrib import admin
from oauth2_provider.admin import AccessTokenAdmin as StockAccessTokenAdmin
from oauth2_provider.admin import RefreshTokenAdmin as StockRefreshTokenAdmin
from oauth2_provider.models import (
    get_access_token_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from core.admin.cells import time_from_now, time_since
from core.admin.list_page import ListPageMixin
from core.tokens.words import scope_words
from fedhub.admin.list_pages import (
    ACCESS_TOKEN_EXPORT,
    ACCESS_TOKEN_TABS,
    REFRESH_TOKEN_EXPORT,
    REFRESH_TOKEN_TABS,
)

# Authorization codes and ID tokens expire after minutes; staff have nothing to do with them.
for model in (
    get_access_token_model(),
    get_refresh_token_model(),
    get_grant_model(),
    get_id_token_model(),
):
    admin.site.unregister(model)


class MaskedTokenAdmin(ListPageMixin):
    """The base of the admin pages of tokens: they show the holder and the scopes of a token, never the token itself."""

    list_filter = [("application", RelatedDropdownFilter)]
    list_filter_submit = True
    actions = ["revoke_tokens"]
    empty_hint = "Nobody has a token yet. Each person issues the own ones on My tokens, in the menu of the account."

    def lookup_allowed(self, lookup, value, request=None):  # type: ignore[no-untyped-def]
        # A filter by the beginning of a token would tell the token, letter by letter.
        return not lookup.startswith("token") and super().lookup_allowed(lookup, value, request)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke_tokens(self, request, queryset):  # type: ignore[no-untyped-def]
        # The action of the toolkit asks no permission, so that a person who may only view tokens could revoke them.
        super().revoke_tokens(request, queryset)


@admin.register(get_access_token_model())
class AccessTokenAdmin(MaskedTokenAdmin, StockAccessTokenAdmin):
    list_display = ["holder", "called", "may", "ends", "last_used", "last_address"]
    list_select_related = ["user", "application", "last_use", "note"]
    tabs, export_fields = ACCESS_TOKEN_TABS, ACCESS_TOKEN_EXPORT
    date_field, date_title = "expires", "Expires"
    fields = ["user", "called", "application", "may", "reach", "expires", "created", "last_used", "last_address"]

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user or token.application or f"token {token.pk}")

    @display(description="Name", ordering="note__name")
    def called(self, token) -> str:  # type: ignore[no-untyped-def]
        note = getattr(token, "note", None)
        return note.name if note else str(token.application or "-")

    @display(description="May", ordering="scope")
    def may(self, token) -> str:  # type: ignore[no-untyped-def]
        return "; ".join(map(scope_words, token.scope.split()))

    @display(description="Reaches")
    def reach(self, token) -> str:  # type: ignore[no-untyped-def]
        note = getattr(token, "note", None)
        if note is None or not note.federation_id:
            return "every federation that its person reaches"
        return f"the federation {note.federation_id} alone"

    @display(description="Expires", ordering="expires")
    def ends(self, token) -> str:  # type: ignore[no-untyped-def]
        return time_from_now(token.expires)

    @display(description="Last used", ordering="last_use__used_at")
    def last_used(self, token) -> str:  # type: ignore[no-untyped-def]
        use = getattr(token, "last_use", None)
        return time_since(use.used_at) if use else "never"

    @display(description="Last address", ordering="last_use__address")
    def last_address(self, token) -> str:  # type: ignore[no-untyped-def]
        use = getattr(token, "last_use", None)
        return use.address if use and use.address else "-"


@admin.register(get_refresh_token_model())
class RefreshTokenAdmin(MaskedTokenAdmin, StockRefreshTokenAdmin):
    list_display = ["holder", "application", "made", "withdrawn"]
    tabs, export_fields = REFRESH_TOKEN_TABS, REFRESH_TOKEN_EXPORT
    date_field, date_title = "created", "Created"
    fields = ["user", "application", "created", "revoked"]

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user)

    @display(description="Created", ordering="created")
    def made(self, token) -> str:  # type: ignore[no-untyped-def]
        return time_since(token.created)

    @display(description="Revoked", ordering="revoked")
    def withdrawn(self, token) -> str:  # type: ignore[no-untyped-def]
        return time_since(token.revoked)
