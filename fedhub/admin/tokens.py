"""The admin pages of OAuth applications and tokens, with unfold's components; a page never shows a token."""

from __future__ import annotations

from django import forms
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

from core.admin.cells import time_from_now, time_since
from core.admin.list_page import ListPageMixin
from core.tokens.redirects import may_receive_codes
from fedhub.admin.list_pages import (
    ACCESS_TOKEN_EXPORT,
    ACCESS_TOKEN_TABS,
    APPLICATION_EXPORT,
    APPLICATION_TABS,
    REFRESH_TOKEN_EXPORT,
    REFRESH_TOKEN_TABS,
)
from fedhub.admin.rights import is_superuser

Application = get_application_model()

UNUSED_FIELDS = [
    "hash_client_secret",
    "algorithm",
    "post_logout_redirect_uris",
    "registration_source",
    "cimd_expires_at",
]
"""Secrets are always hashed, staff register every program, and the hub is not an OpenID provider for people."""

GRANTS = [
    (Application.GRANT_CLIENT_CREDENTIALS, "Client credentials: the program acts for its owner"),
    (Application.GRANT_AUTHORIZATION_CODE, "Authorization code: a person signs in and allows the program"),
]

# Authorization codes and ID tokens expire after minutes; staff have nothing to do with them.
for model in (
    get_application_model(),
    get_access_token_model(),
    get_refresh_token_model(),
    get_grant_model(),
    get_id_token_model(),
):
    admin.site.unregister(model)


class ApplicationForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of an application, which refuses addresses that codes must not reach."""

    def clean_redirect_uris(self) -> str:
        """Return the addresses; raise ValidationError for plain http to another machine than the person's own."""
        uris = str(self.cleaned_data["redirect_uris"])
        if unsafe := [uri for uri in uris.split() if uri.startswith("http:") and not may_receive_codes(uri)]:
            raise forms.ValidationError(
                f"{unsafe[0]} is plain http. Use https; only a program on the person's own machine may use http, with "
                "the host 127.0.0.1, [::1] or localhost."
            )
        return uris


@admin.register(get_application_model())
class ApplicationAdmin(ListPageMixin, StockApplicationAdmin, ModelAdmin):
    """The admin pages of OAuth applications: the programs that may request tokens.

    A program acts for its owner, the person who registers the program. So only superusers may choose another owner,
    let a program skip the question for consent, or change the program of another person.
    """

    form = ApplicationForm
    list_display = ["name", "client_id", "user", "client_type", "authorization_grant_type"]
    list_select_related = ["user"]
    tabs, export_fields = APPLICATION_TABS, APPLICATION_EXPORT
    date_field, date_title = "created", "Created"
    readonly_fields: list[str] = []
    empty_hint = (
        "Add an application here, and its program can request tokens. To issue a token to a person, run issue_token on "
        "the command line."
    )

    def get_exclude(self, request, obj=None):  # type: ignore[no-untyped-def]
        if obj is None:
            return UNUSED_FIELDS if is_superuser(request) else [*UNUSED_FIELDS, "user"]
        # The form of a new application shows its secret once; later pages do not show even the hash of the secret.
        return [*UNUSED_FIELDS, "client_secret"]

    def formfield_for_choice_field(self, db_field, request, **kwargs):  # type: ignore[no-untyped-def]
        if db_field.name == "authorization_grant_type":
            kwargs["choices"] = GRANTS
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        fields = list(super().get_readonly_fields(request, obj))
        if is_superuser(request):
            return fields
        return [*fields, "skip_authorization", *(["user"] if obj else [])]

    def get_changeform_initial_data(self, request):  # type: ignore[no-untyped-def]
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return super().has_change_permission(request, obj) and self._is_open(request, obj)

    def has_delete_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return super().has_delete_permission(request, obj) and self._is_open(request, obj)

    def lookup_allowed(self, lookup, value, request=None):  # type: ignore[no-untyped-def]
        # A filter by the beginning of a secret would tell the secret, letter by letter.
        return not lookup.startswith("client_secret") and super().lookup_allowed(lookup, value, request)

    def save_model(self, request, obj, form, change):  # type: ignore[no-untyped-def]
        if not change and (obj.user_id is None or not is_superuser(request)):
            obj.user = request.user
        super().save_model(request, obj, form, change)
        if change and "user" in form.changed_data:
            # The program's tokens would act for the new owner, in the hands of a person whom the old owner chose.
            get_access_token_model().objects.filter(application=obj).delete()

    def _is_open(self, request, obj) -> bool:  # type: ignore[no-untyped-def]
        if obj is None or is_superuser(request):
            return True
        # The stored owner: the form may already have put the posted one into `obj`.
        return bool(self.model._default_manager.filter(pk=obj.pk, user_id=request.user.pk).exists())


class MaskedTokenAdmin(ListPageMixin):
    """The base of the admin pages of tokens: they show the holder and the scopes of a token, never the token itself."""

    list_filter = [("application", RelatedDropdownFilter)]
    list_filter_submit = True
    actions = ["revoke_tokens"]
    empty_hint = "Issue a token on the command line: manage.py issue_token --user NAME --scopes federations-read"

    def lookup_allowed(self, lookup, value, request=None):  # type: ignore[no-untyped-def]
        # A filter by the beginning of a token would tell the token, letter by letter.
        return not lookup.startswith("token") and super().lookup_allowed(lookup, value, request)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke_tokens(self, request, queryset):  # type: ignore[no-untyped-def]
        # The action of the toolkit asks no permission, so that a person who may only view tokens could revoke them.
        super().revoke_tokens(request, queryset)


@admin.register(get_access_token_model())
class AccessTokenAdmin(MaskedTokenAdmin, StockAccessTokenAdmin):
    list_display = ["holder", "application", "scope", "ends", "last_used", "last_address"]
    list_select_related = ["user", "application", "last_use"]
    tabs, export_fields = ACCESS_TOKEN_TABS, ACCESS_TOKEN_EXPORT
    date_field, date_title = "expires", "Expires"
    fields = ["user", "application", "scope", "expires", "created", "last_used", "last_address"]

    def get_readonly_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return self.fields

    @display(description="Holder", ordering="user__username")
    def holder(self, token) -> str:  # type: ignore[no-untyped-def]
        return str(token.user or token.application or f"token {token.pk}")

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
