"""The admin pages of users and groups, with unfold's components.

Only superusers change what gives rights: the ranks, groups and permissions of users, and the permissions of groups.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.admin.list_page import ListPageMixin
from fedhub.admin.list_pages import GROUP_EXPORT, USER_EXPORT, USER_TABS
from fedhub.admin.people import IdentityInline, remove_factors
from fedhub.admin.rights import covers_account, covers_group, is_superuser
from fedhub.roles import may_of_group

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ListPageMixin, StockUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """The admin pages of users: people and programs.

    Staff who have the permission to change users may change an account only if they have every right of the account
    themselves: whoever sets the password, the name or the e-mail address of an account can act as that account. Only
    superusers may change the fields of `RIGHTS`, because these fields give rights.
    """

    RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter_submit = True
    tabs, export_fields = USER_TABS, USER_EXPORT
    date_field, date_title = "last_login", "Last sign-in"
    inlines = [IdentityInline]
    actions = [remove_factors]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if is_superuser(request) else [*fields, *self.RIGHTS]

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
