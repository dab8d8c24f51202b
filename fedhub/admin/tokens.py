"""The admin pages of OAuth applications and tokens, with unfold's components; a page never shows a token."""

from __future__ import annotations

from django.contrib import admin
from oauth2_provider.admin import AccessTokenAdmin as StockAccessTokenAdmin
from oauth2_provider.admin import ApplicationAdmin as StockApplicationAdmin
from oauth2_provider.admin import RefreshTokenAdmin as StockRefreshTokenAdmin
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

# Authorization codes and ID tokens expire after minutes; staff have nothing to do with them.
for model in (
    get_application_model(),
    get_access_token_model(),
    get_refresh_token_model(),
    get_grant_model(),
    get_id_token_model(),
):
    admin.site.unregister(model)


@admin.register(get_application_model())
class ApplicationAdmin(StockApplicationAdmin, ModelAdmin):
    """The page of programs that may request tokens."""

    list_display = ["name", "client_id", "user", "client_type", "authorization_grant_type"]
    list_select_related = ["user"]

    def get_exclude(self, request, obj=None):  # type: ignore[no-untyped-def]
        # The form of a new application shows its secret once; later pages do not show even the hash of the secret.
        return ["client_secret", "hash_client_secret"] if obj else []

    empty_hint = (
        "Add an application here, and its program can request tokens. To issue a token to a person, run issue_token on "
        "the command line."
    )


class MaskedTokenAdmin(ModelAdmin):
    """The base of pages that show the holder and the scopes of a token, never the token."""

    list_filter = [("application", RelatedDropdownFilter)]
    list_filter_submit = True
    empty_hint = "Issue a token on the command line: manage.py issue_token --user NAME --scopes federations-read"


@admin.register(get_access_token_model())
class AccessTokenAdmin(MaskedTokenAdmin, StockAccessTokenAdmin):
    list_display = ["holder", "application", "scope", "expires"]
    fields = ["user", "application", "scope", "expires", "created"]

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user or token.application or f"token {token.pk}")


@admin.register(get_refresh_token_model())
class RefreshTokenAdmin(MaskedTokenAdmin, StockRefreshTokenAdmin):
    list_display = ["holder", "application", "created", "revoked"]
    fields = ["user", "application", "created", "revoked"]

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user)
