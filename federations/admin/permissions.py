"""Permissions on the registry's admin pages: a role's model permission, or a grant on a federation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

from federations.models import AccessLevel
from federations.services.access import PERMISSION_OF, SYNC, federations_visible_to, level_of


class GrantedPermissionsMixin(ModelAdmin):
    """Let a user view, change or delete a federation by the rule of the REST API: a model permission or a grant.

    `obj` is a federation, or the federation's id where unfold passes the id.
    """

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.VIEW)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.EDIT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.OWNER)

    def has_sync_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may start plain syncs: with EDIT, or with VIEW and the permission to sync."""
        return _is_allowed(request, obj, AccessLevel.VIEW if request.user.has_perm(SYNC) else AccessLevel.EDIT)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or sees_any_federation(request)


class VisibleByFederationMixin(ModelAdmin):
    """Let a user open the pages of rows (resources, jobs) that belong to federations which the user may view.

    This class decides only about the page; the `get_queryset` of the page restricts the rows.
    """

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or sees_any_federation(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or sees_any_federation(request)


def sees_any_federation(request: HttpRequest) -> bool:
    """Tell whether the user may view any federation, by model permission or by grant; cached in `request`."""
    return _is_allowed(request, None, AccessLevel.VIEW)


def _is_allowed(request: HttpRequest, obj: Any, level: AccessLevel) -> bool:
    if request.user.has_perm(PERMISSION_OF[level]):
        return True
    if not obj and level > AccessLevel.VIEW:
        # A grant is about one federation, so without a federation it allows no more than to open the list.
        return False
    known: dict[str, int] = request.__dict__.setdefault("_federation_levels", {})
    key = str(getattr(obj, "pk", obj or ""))
    if key not in known:
        known[key] = level_of(request.user, obj) if obj else int(federations_visible_to(request.user).exists())
    return known[key] >= level
