"""The delegation scope: the operations that a remote server may do for this hub, and its reduction at each step.

The source is OpenIntent RFC-0022.
"""

from dataclasses import dataclass, field
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.errors import DelegationError, DelegationFault
from peers.protocol.json_fields import read_integer, read_object, read_optional_text, read_text_list
from peers.protocol.timestamps import parse_timestamp

DEFAULT_PERMISSIONS = ("state.patch", "events.log")
WILDCARD = "*"


@dataclass
class DelegationScope:
    """The operations that a server may do for the server that delegated work to it.

    An operation is allowed if `permissions` lists it and `denied_operations` does not. `max_delegation_depth` is how
    many times the scope may be passed on to a further server. `expires_at` is RFC 3339, None for a scope without an
    end. `*` is not a wildcard: `*` permits no operation, and verifiers refuse a scope with `*`.
    """

    permissions: list[str] = field(default_factory=lambda: list(DEFAULT_PERMISSIONS))
    denied_operations: list[str] = field(default_factory=list)
    max_delegation_depth: int = 1
    expires_at: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form; an unset `expires_at` is omitted."""
        result: JsonObject = {
            "permissions": _as_json(self.permissions),
            "denied_operations": _as_json(self.denied_operations),
            "max_delegation_depth": self.max_delegation_depth,
        }
        if self.expires_at:
            result["expires_at"] = self.expires_at
        return result

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage for wrong types, a negative depth, an unreadable expiry."""
        data = read_object(data, "delegation_scope")
        scope = cls(
            permissions=read_text_list(data, "permissions", DEFAULT_PERMISSIONS),
            denied_operations=read_text_list(data, "denied_operations"),
            max_delegation_depth=read_integer(data, "max_delegation_depth", 1),
            expires_at=read_optional_text(data, "expires_at"),
        )
        scope.expiry_seconds()
        return scope

    def attenuate(self, child_scope: "DelegationScope") -> "DelegationScope":
        """Return the scope of a child that asks for `child_scope` when this scope is passed on.

        The result permits what both scopes permit, and denies what at least one scope denies; both lists are sorted.
        The depth of the result is the smaller of this scope's depth minus one and the depth of `child_scope`. The
        expiry of the result is the earlier expiry. Raises DelegationError if this scope has no depth left.
        """
        passed_on = self.restricted_to(child_scope)
        passed_on.max_delegation_depth = min(self.max_delegation_depth - 1, child_scope.max_delegation_depth)
        if passed_on.max_delegation_depth < 0:
            raise DelegationError(DelegationFault.DEPTH, "Delegation depth exceeded")
        return passed_on

    def restricted_to(self, limit: "DelegationScope") -> "DelegationScope":
        """Return the scope of the operations that both scopes permit; the depth is not lowered by one."""
        return DelegationScope(
            permissions=sorted(set(self.permissions) & set(limit.permissions)),
            denied_operations=sorted(set(self.denied_operations) | set(limit.denied_operations)),
            max_delegation_depth=min(self.max_delegation_depth, limit.max_delegation_depth),
            expires_at=_earlier(self.expires_at, limit.expires_at),
        )

    def allows(self, operation: str) -> bool:
        """Tell whether the operation is permitted and not denied; the expiry is not checked."""
        return operation != WILDCARD and operation in self.permissions and operation not in self.denied_operations

    def may_delegate(self) -> bool:
        """Tell whether the scope may be passed on at least once."""
        return self.max_delegation_depth > 0

    def has_wildcard(self) -> bool:
        """Tell whether a permission is `*`, which every verifier refuses."""
        return WILDCARD in self.permissions

    def expiry_seconds(self) -> float | None:
        """Return the expiry as Unix seconds, None if it is unset; raises MalformedMessage."""
        return parse_timestamp(self.expires_at) if self.expires_at else None

    def is_within(self, parent: "DelegationScope") -> bool:
        """Tell whether permissions, denials and expiry stay within those of the parent; the depth is not compared."""
        limit, own = parent.expiry_seconds(), self.expiry_seconds()
        return (
            set(self.permissions) <= set(parent.permissions)
            and set(self.denied_operations) >= set(parent.denied_operations)
            and (limit is None or (own is not None and own <= limit))
        )


def _earlier(first: str | None, second: str | None) -> str | None:
    if not first or not second:
        return first or second
    return second if parse_timestamp(second) < parse_timestamp(first) else first


def _as_json(texts: list[str]) -> list[Json]:
    return list(texts)
