"""Who may do what on the pages of one federation: a role's model permission, or a grant on that federation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

from federations.models import AccessLevel
from federations.services.access import PERMISSION_OF, federations_visible_to, level_of


class GrantedPermissionsMixin(ModelAdmin):
    """Asks the same rule that the REST API asks. `obj` is a federation, or its id where unfold hands over that."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.VIEW)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.EDIT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_allowed(request, obj, AccessLevel.OWNER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or self.has_view_permission(request)


def _is_allowed(request: HttpRequest, obj: Any, level: AccessLevel) -> bool:
    if request.user.has_perm(PERMISSION_OF[level]):
        return True
    known: dict[str, int] = request.__dict__.setdefault("_federation_levels", {})
    key = str(getattr(obj, "pk", obj or ""))
    if key not in known:
        known[key] = level_of(request.user, obj) if obj else int(federations_visible_to(request.user).exists())
    return known[key] >= level
