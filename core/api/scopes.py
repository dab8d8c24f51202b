"""OAuth scopes: the kinds of action that a caller may use, on any object.

A session has the scopes that the roles of its user give. A token has those of its own scopes that the roles of its user
give at the time of the request:

| Scope | Users whose roles give it |
|---|---|
| `federations-read` | every active user |
| `agents-run` | every active user; to give work also needs the permission `federations.run_a2aagent` |
| `federations-write` | staff, holders of `federations.add_federation`, users who may change any federation |
| `system-ops` | superusers, and holders of the permission `federations.system_ops` |
| `peers-read` | superusers, and holders of the permission `peers.view_dispatch` |
| `peers-write` | superusers, and holders of the permission `peers.add_dispatch` |

A view names the scope that each of its methods needs; a method without a scope is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

READ = "federations-read"
WRITE = "federations-write"
SYSTEM = "system-ops"
AGENTS_RUN = "agents-run"
PEERS_READ = "peers-read"
PEERS_WRITE = "peers-write"

OF_ONE_FEDERATION = frozenset({READ, WRITE, AGENTS_RUN})
"""The scopes that a token for one federation can have; the others reach beyond one federation."""

_OF_EVERYONE = (READ, AGENTS_RUN)
_BY_PERMISSION = {
    WRITE: "federations.add_federation",
    SYSTEM: "federations.system_ops",
    PEERS_READ: "peers.view_dispatch",
    PEERS_WRITE: "peers.add_dispatch",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """The scopes that an authenticated request may use.

    TokenOrSessionAuthentication makes the credential; Django REST framework keeps it as `request.auth`.
    """

    scopes: frozenset[str]


_ROLES: dict[str, list[Callable[[Any], bool]]] = {}
"""The further roles of each scope, which the apps register."""


def register_role(scope: str, has_role: Callable[[Any], bool]) -> None:
    """Give `scope` to every active user for whom `has_role(user)` is true, beside the users of the table above."""
    roles = _ROLES.setdefault(scope, [])
    if has_role not in roles:
        roles.append(has_role)


def scopes_of_roles(
    user: AbstractBaseUser | AnonymousUser, wanted: Collection[str] = (*_OF_EVERYONE, *_BY_PERMISSION)
) -> frozenset[str]:
    """Return those of the scopes `wanted` that the roles of `user` give; an inactive or anonymous user has none."""
    if not isinstance(user, PermissionsMixin) or not getattr(user, "is_active", False):
        return frozenset()
    return frozenset(scope for scope in wanted if scope in _OF_EVERYONE or _gives(user, scope))


def _gives(user: PermissionsMixin, scope: str) -> bool:
    if scope == WRITE and getattr(user, "is_staff", False):
        return True
    permission = _BY_PERMISSION.get(scope)
    if permission is None:
        return False
    return user.has_perm(permission) or any(has_role(user) for has_role in _ROLES.get(scope, ()))


class HasRequiredScope(BasePermission):
    """Permits a request whose credential has the scope that the view's `required_scopes` names for the method."""

    message = "Insufficient permissions"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the request has the scope; raise MethodNotAllowed for a method that the view does not name.

        MethodNotAllowed gives the caller a 405; without it the caller would get a 403.
        """
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
    """Return the scope that `method` of `view` needs, or None if the view does not name the method."""
    scopes: Mapping[str, str] = getattr(view, "required_scopes", {})
    return scopes.get("GET" if method == "HEAD" else method)
