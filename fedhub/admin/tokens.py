"""The admin pages of everybody's tokens, for administrators; a page never shows a token."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.admin import AccessTokenAdmin as StockAccessTokenAdmin
from oauth2_provider.admin import RefreshTokenAdmin as StockRefreshTokenAdmin
from oauth2_provider.models import (
    get_access_token_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from core.admin.ask_first import ask_first, is_confirmed
from core.admin.cells import time_from_now, time_since
from core.admin.list_page import ListPageMixin
from core.admin.row_pages import RowPagesMixin
from core.tokens.words import scope_words
from federations.services.access import federations_visible_to
from fedhub.admin.list_pages import (
    ACCESS_TOKEN_EXPORT,
    ACCESS_TOKEN_TABS,
    REFRESH_TOKEN_EXPORT,
    REFRESH_TOKEN_TABS,
)
from peers.admin.dialogs import ConfirmForm, dialog

# Authorization codes and ID tokens expire after minutes; staff have nothing to do with them.
for model in (
    get_access_token_model(),
    get_refresh_token_model(),
    get_grant_model(),
    get_id_token_model(),
):
    admin.site.unregister(model)


class MaskedTokenAdmin(RowPagesMixin, ListPageMixin):
    """The base of the admin pages of tokens: they show the holder and the scopes of a token, never the token itself."""

    follows = "Requests with these tokens are refused from now on. This cannot be taken back."

    list_filter = [("application", RelatedDropdownFilter)]
    list_filter_submit = True
    actions = ["revoke_tokens"]
    actions_detail = ["revoke_one"]
    empty_hint = "There is no token. Everyone issues tokens for their own scripts on the page My tokens."
    empty_link = ("Open My tokens", "own-tokens")

    def lookup_allowed(self, lookup, value, request=None):  # type: ignore[no-untyped-def]
        # A filter by the beginning of a token would tell the token, letter by letter.
        return not lookup.startswith("token") and super().lookup_allowed(lookup, value, request)

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    def render_change_form(self, request, context, *args, **kwargs):  # type: ignore[no-untyped-def]
        # Nothing of a token can be edited; the right to change it is the right to revoke it.
        context |= {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def is_over(self, token: Any) -> bool:
        """Tell whether the token is refused already."""
        raise NotImplementedError

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        token = self.get_object(request, object_id)
        return {"revoke_one"} if token and not self.is_over(token) else set()

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        # The action of the toolkit asks no permission, so that a person who may only view tokens could revoke them,
        # and it asks no question.
        if not is_confirmed(request):
            return ask_first(
                self, request, queryset, title="Revoke tokens", follows=self.follows, name_of=self.heading_of
            )
        super().revoke_tokens(request, queryset)
        return None

    @action(
        description="Revoke",
        icon="key_off",
        permissions=["change"],
        url_path="revoke",
        dialog=dialog(
            "Revoke the token", "Requests with it are refused from now on. This cannot be taken back.", ConfirmForm
        ),
    )
    def revoke_one(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        token = self.row_or_404(request, object_id)
        super().revoke_tokens(request, self.model._default_manager.filter(pk=token.pk))
        return self.redirect_to(request, self._list_url())


@admin.register(get_access_token_model())
class AccessTokenAdmin(MaskedTokenAdmin, StockAccessTokenAdmin):
    actions_list = ["own_token"]
    list_display = ["holder", "called", "may", "ends", "last_used", "last_address"]
    list_select_related = ["user", "application", "last_use", "note"]
    tabs, export_fields = ACCESS_TOKEN_TABS, ACCESS_TOKEN_EXPORT
    date_field, date_title = "expires", "Expires"
    fields = ["user", "called", "application", "may", "reach", "expires", "created", "last_used", "last_address"]

    def heading_of(self, row: Any) -> str:
        note = getattr(row, "note", None)
        return f"{note.name} of {self.holder(row)}" if note else f"A token of {self.holder(row)}"

    def is_over(self, token: Any) -> bool:
        return bool(token.expires <= timezone.now())

    def get_object(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        token = super().get_object(request, *args, **kwargs)
        note = getattr(token, "note", None)
        if note and note.federation_id:
            visible = federations_visible_to(request.user).filter(pk=note.federation_id)
            token.only = visible.values_list("display_name", flat=True).first() or "one that you do not see"
        return token

    @action(description="New token of yours…", icon="key", permissions=["view"], url_path="own-token")
    def own_token(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("new-token"))

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
        return f"one federation alone: {token.only}"

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

    def heading_of(self, row: Any) -> str:
        return f"A refresh token of {row.user}" + (f" for {row.application}" if row.application else "")

    def is_over(self, token: Any) -> bool:
        return token.revoked is not None

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user)

    @display(description="Created", ordering="created")
    def made(self, token) -> str:  # type: ignore[no-untyped-def]
        return time_since(token.created)

    @display(description="Revoked", ordering="revoked")
    def withdrawn(self, token) -> str:  # type: ignore[no-untyped-def]
        return time_since(token.revoked)
