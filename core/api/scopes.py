"""What a caller may do at all, whichever object it is about.

A token carries its scopes. A session has those that its user's roles map to:

| Scope | Who has it in a session |
|---|---|
| `federations-read` | every active user |
| `federations-write` | staff, and holders of the permission `federations.add_federation` |
| `system-ops` | superusers, and holders of the permission `federations.system_ops` |
| `peers-read` | superusers, and holders of the permission `peers.view_dispatch` |
| `peers-write` | superusers, and holders of the permission `peers.add_dispatch` |

A view names the scope that each of its methods needs; a method without one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

READ = "federations-read"
WRITE = "federations-write"
SYSTEM = "system-ops"
PEERS_READ = "peers-read"
PEERS_WRITE = "peers-write"

_BY_PERMISSION = {
    WRITE: "federations.add_federation",
    SYSTEM: "federations.system_ops",
    PEERS_READ: "peers.view_dispatch",
    PEERS_WRITE: "peers.add_dispatch",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request has proved: the scopes that it may use. It is the request's `auth`."""

    scopes: frozenset[str]


def scopes_of_roles(user: AbstractBaseUser | AnonymousUser) -> frozenset[str]:
    """Return the scopes that the roles of `user` map to; none for an inactive or anonymous one."""
    if not isinstance(user, PermissionsMixin) or not getattr(user, "is_active", False):
        return frozenset()
    scopes = {scope for scope, permission in _BY_PERMISSION.items() if user.has_perm(permission)} | {READ}
    if getattr(user, "is_staff", False):
        scopes.add(WRITE)
    return frozenset(scopes)


class HasRequiredScope(BasePermission):
    """Lets a request pass whose credential has the scope that the view's `required_scopes` names for its method."""

    message = "Insufficient permissions"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raise MethodNotAllowed where the view has no such method, so that a 405 is not hidden by a 403."""
        credential = request.auth
        if not isinstance(credential, Credential):
            return False
        if request.method == "OPTIONS":
            return True
        scope = required_scope(view, request.method or "")
        if scope is None:
            raise MethodNotAllowed(request.method or "")
        return scope in credential.scopes


def required_scope(view: Any, method: str) -> str | None:
    """Return the scope that `method` of `view` needs; None where the view names none."""
    scopes: Mapping[str, str] = getattr(view, "required_scopes", {})
    return scopes.get("GET" if method == "HEAD" else method)
