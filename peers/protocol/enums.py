"""The enumerations of the protocol (OpenIntent RFC-0022). Members equal their wire strings."""

from enum import StrEnum


class AgentVisibility(StrEnum):
    """The servers that see an agent: PUBLIC all servers, UNLISTED approved peers only, PRIVATE none."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class PeerRelationship(StrEnum):
    """The direction of work: PEER both ways, UPSTREAM from the peer to this server, DOWNSTREAM to the peer."""

    PEER = "peer"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class TrustPolicy(StrEnum):
    """The servers that are trusted: OPEN every server, ALLOWLIST the listed peers, TRUSTLESS none."""

    OPEN = "open"
    ALLOWLIST = "allowlist"
    TRUSTLESS = "trustless"


class CallbackEventType(StrEnum):
    """The kind of event that a callback reports."""

    STATE_DELTA = "state_delta"
    STATUS_CHANGED = "status_changed"
    ATTESTATION = "attestation"
    BUDGET_WARNING = "budget_warning"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def required_permission(self) -> str:
        """The permission that the delegation scope must have, else the event is refused."""
        return "state.patch" if self is CallbackEventType.STATE_DELTA else "events.log"


class DispatchStatus(StrEnum):
    """The answer of the target to a dispatch; PENDING before the answer."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PENDING = "pending"
