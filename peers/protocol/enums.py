"""The enumerations of the protocol (OpenIntent RFC-0022). Members equal their wire strings."""

from enum import StrEnum


class AgentVisibility(StrEnum):
    """The servers that see an agent: PUBLIC means all servers, UNLISTED only approved peers, PRIVATE none."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class PeerRelationship(StrEnum):
    """The direction of work: PEER both ways, UPSTREAM from the peer to this server, DOWNSTREAM to the peer."""

    PEER = "peer"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class TrustPolicy(StrEnum):
    """The servers that a server trusts: OPEN means every server, ALLOWLIST the listed peers, TRUSTLESS no server."""

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
        """The permission that the delegation scope of the dispatch must have; without it, the event is refused."""
        return "state.patch" if self is CallbackEventType.STATE_DELTA else "events.log"


class DispatchStatus(StrEnum):
    """The response of the target server to a dispatch; PENDING before the target server has responded."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PENDING = "pending"
