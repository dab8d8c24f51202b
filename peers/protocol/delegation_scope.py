"""What a remote server may do on our behalf, and how that shrinks from hand to hand (OpenIntent RFC-0022)."""

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
    """The operations granted, those denied, how often the grant may be passed on, and until when.

    `expires_at` is RFC 3339. There is no wildcard: `*` permits nothing, and verifiers refuse it.
    """

    permissions: list[str] = field(default_factory=lambda: list(DEFAULT_PERMISSIONS))
    denied_operations: list[str] = field(default_factory=list)
    max_delegation_depth: int = 1
    expires_at: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form; `expires_at` is left out when unset."""
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
        """Return what a delegate gets when this scope is passed on and `child_scope` is asked for.

        Permissions intersect, denials unite, both sorted; depth is the smaller of ours less one and the child's;
        expiry is the earlier. Raises DelegationError when no depth is left.
        """
        passed_on = self.restricted_to(child_scope)
        passed_on.max_delegation_depth = min(self.max_delegation_depth - 1, child_scope.max_delegation_depth)
        if passed_on.max_delegation_depth < 0:
            raise DelegationError(DelegationFault.DEPTH, "Delegation depth exceeded")
        return passed_on

    def restricted_to(self, limit: "DelegationScope") -> "DelegationScope":
        """Return what both scopes allow, without spending depth: one grant read in the light of another."""
        return DelegationScope(
            permissions=sorted(set(self.permissions) & set(limit.permissions)),
            denied_operations=sorted(set(self.denied_operations) | set(limit.denied_operations)),
            max_delegation_depth=min(self.max_delegation_depth, limit.max_delegation_depth),
            expires_at=_earlier(self.expires_at, limit.expires_at),
        )

    def allows(self, operation: str) -> bool:
        """Tell whether the operation is granted and not denied. Expiry is not looked at."""
        return operation != WILDCARD and operation in self.permissions and operation not in self.denied_operations

    def may_delegate(self) -> bool:
        """Tell whether the scope can be passed on once more."""
        return self.max_delegation_depth > 0

    def has_wildcard(self) -> bool:
        """Tell whether a permission is `*`, which no verifier accepts."""
        return WILDCARD in self.permissions

    def expiry_seconds(self) -> float | None:
        """Return the expiry as Unix seconds, or None when there is none; raises MalformedMessage."""
        return parse_timestamp(self.expires_at) if self.expires_at else None

    def is_within(self, parent: "DelegationScope") -> bool:
        """Tell whether permissions, denials and expiry grant nothing beyond the parent's."""
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
