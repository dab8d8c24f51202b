"""The admin pages of users and groups, with unfold's components.

Only superusers change what gives rights: the ranks, groups and permissions of users, and the permissions of groups.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from fedhub.admin.rights import covers_account, covers_group, is_superuser

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(StockUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """The page of users: people and programs.

    A permission opens accounts whose rights its holder has too, because a password, a name or an e-mail address lets
    its writer act as the account. It never opens the fields of `RIGHTS`.
    """

    RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter_submit = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if is_superuser(request) else [*fields, *self.RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or covers_account(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or covers_account(request, obj))


@admin.register(Group)
class GroupAdmin(StockGroupAdmin, ModelAdmin):
    """The page of groups, which hold permissions and grants. A permission opens names, never the permissions."""

    empty_hint = "A group gives its members permissions. A federation can grant access to a group."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if is_superuser(request) else [*fields, "permissions"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or covers_group(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or covers_group(request, obj))
