"""The admin pages of users and groups, in the product's words.

Only superusers change what gives rights: the roles, ranks, groups and permissions of users, and the permissions of
groups. A user's page says what the user may do and why; the picker of single permissions stays folded below.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.admin.cells import once_a_row, time_since
from core.admin.labels import count_text
from core.admin.list_page import ListPageMixin
from core.admin.read_only import is_list_page
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.people.models import SecondFactor
from core.people.sessions import end_sessions, sessions_of
from core.roles.members import give_role, take_role
from fedhub.admin.account_rights import rights_context
from fedhub.admin.list_pages import GROUP_EXPORT, USER_EXPORT, USER_TABS
from fedhub.admin.people import IdentityInline, remove_factors
from fedhub.admin.rights import covers_account, covers_group, is_superuser
from fedhub.roles import DEFINITIONS, may_of_group
from peers.admin.dialogs import ConfirmForm, dialog

PROVIDER_ALONE = "Disabled: the person signs in at a provider of identities alone, and nobody by a password."
CUSTOM = (
    "A role is enough for nearly everybody. What is set here holds beside the roles; a superuser may do everything."
)

admin.site.unregister(User)
admin.site.unregister(Group)


class _OthersPasswordMixin(forms.BaseForm):
    """Says what a password needs to whoever sets the password of another account: Django says "your password"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        needs = [
            text.replace("Your password", "The password").replace(
                "your other personal information", "the account's name"
            )
            for text in password_validators_help_texts()
        ]
        self.fields["password1"].help_text = format_html_join("", "{}<br>", [(text,) for text in needs])
        if "usable_password" in self.fields:
            self.fields["usable_password"].label = "Signs in by a password"
            self.fields["usable_password"].help_text = PROVIDER_ALONE


class AccountForm(_OthersPasswordMixin, UserCreationForm):
    """The form of a new account."""


class AccountPasswordForm(_OthersPasswordMixin, AdminPasswordChangeForm):
    """The form of another password of an account."""


@admin.register(User)
class UserAdmin(RowPagesMixin, ListPageMixin, StockUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """The admin pages of users: people and programs.

    Staff who have the permission to change users may change an account only if they have every right of the account
    themselves: whoever sets the password, the name or the e-mail address of an account can act as that account. Only
    superusers may change the fields of `RIGHTS`, because these fields give rights, and only they give and take roles.
    """

    SIGNING_IN = ("signed_in", "password_words", "password_link", "second_factor", "sessions")
    RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]
    form = UserChangeForm
    add_form = AccountForm
    change_password_form = AccountPasswordForm
    list_filter_submit = True
    tabs, export_fields = USER_TABS, USER_EXPORT
    date_field, date_title = "last_login", "Last sign-in"
    list_display = ["username", "full_name", "email", "roles", "signed_in", "is_active"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    inlines = [IdentityInline]
    actions = [remove_factors]
    actions_detail = ["end_sessions"]
    change_form_outer_after_template = "fedhub/account_rights.html"
    empty_hint = "A user is a person or a program's owner. Add one, and give a role on the user's page."

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["fedhub/federation.css", "fedhub/people.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        wanted = ["groups"] if is_list_page(request) else ["groups__role", "groups__permissions", "user_permissions"]
        return rows.prefetch_related(*wanted)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.change_roles)
        return [path("<path:object_id>/roles/", view, name="auth_user_roles"), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        password = "password_link" if self.has_change_permission(request, obj) else "password_words"
        found: list[Any] = [
            (None, {"fields": ["username", "first_name", "last_name", "email", "is_active"]}),
            ("Signing in", {"fields": ["signed_in", password, "second_factor", "sessions"]}),
        ]
        if is_superuser(request):
            custom = {"fields": self.RIGHTS, "classes": ["collapse"], "description": CUSTOM}
            found.append(("Custom rights", custom))
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj), *self.SIGNING_IN]
        return fields if is_superuser(request) else [*fields, *self.RIGHTS]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            context |= rights_context(request, obj) | {"show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def change_roles(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give or take the posted role with the posted reason."""
        if not is_superuser(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        person, by = self.row_or_404(request, object_id), User.objects.get(pk=request.user.pk or 0)
        key, reason = request.POST.get("role", ""), request.POST.get("reason", "")
        with show_refusals(request):
            if request.POST.get("do") == "take":
                take_role(person, key, reason=reason, by=by)
                rest = " The account is still staff: that is under Custom rights." if person.is_staff else ""
                messages.success(request, f"{person} has the role {_role_name(key)} no more.{rest}")
            else:
                opens = give_role(person, key, reason=reason, by=by)
                rest = " The account is staff now, so that it can open the admin." if opens else ""
                messages.success(request, f"{person} has the role {_role_name(key)} now.{rest}")
        return self.redirect_to(request, self.row_url(object_id))

    def has_end_sessions_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    @action(
        description="End sessions",
        icon="logout",
        permissions=["end_sessions"],
        url_path="end-sessions",
        dialog=dialog("End sessions", "Each browser in which this person is signed in must sign in anew.", ConfirmForm),
    )
    def end_sessions(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        person = self.row_or_404(request, object_id)
        messages.success(request, f"{count_text(end_sessions(sessions_of(person)), 'session')} of {person} ended.")
        return self.redirect_to(request, self.row_url(object_id))

    @display(description="Name", ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "-"

    @display(description="Roles and groups")
    def roles(self, user: User) -> str:
        return ", ".join(["superuser"] * user.is_superuser + sorted(group.name for group in user.groups.all())) or "-"

    @display(description="Last sign-in", ordering="last_login")
    def signed_in(self, user: User) -> str:
        return time_since(user.last_login) if user.last_login else "never"

    @display(description="Password")
    def password_words(self, user: User) -> str:
        return "The account has one." if user.has_usable_password() else "The account has none."

    @display(description="Password")
    def password_link(self, user: User) -> SafeString:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('{} <a class="text-link" href="{}">Set a password</a>', self.password_words(user), url)

    @display(description="Second factor")
    @once_a_row
    def second_factor(self, user: User) -> str:
        factors = SecondFactor.objects.filter(user=user).order_by("created_at")
        return ", ".join(f"{factor.name} ({factor.get_kind_display()})" for factor in factors) or "none"

    @display(description="Signed in by")
    @once_a_row
    def sessions(self, user: User) -> str:
        return count_text(sessions_of(user).count(), "browser")

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return self.inlines if obj is not None and is_superuser(request) else []

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        return actions if is_superuser(request) else {n: a for n, a in actions.items() if n != remove_factors.__name__}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or covers_account(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or covers_account(request, obj))


@admin.register(Group)
class GroupAdmin(ListPageMixin, StockGroupAdmin, ModelAdmin):
    """The admin pages of groups, which give their members permissions and access to federations.

    Staff who have the permission to change groups may change a group's name. Only superusers may change the group's
    permissions, because these give rights to its members. The page of a role's group says what the role may.
    """

    list_display = ["name", "may"]
    export_fields = GROUP_EXPORT
    empty_hint = "A group gives its members permissions. A federation can grant access to a group."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj), *(["may"] if may_of_group(obj) else [])]
        return fields if is_superuser(request) else [*fields, "permissions"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", "may", "permissions"] if may_of_group(obj) else ["name", "permissions"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).select_related("role")

    @display(description="Its members may")
    def may(self, group: Group) -> str:
        words = may_of_group(group)
        return f"{words[0].upper()}{words[1:]}." if words else "-"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or covers_group(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or covers_group(request, obj))


def _role_name(key: str) -> str:
    return DEFINITIONS[key].name if key in DEFINITIONS else key
