"""The protocol's closed vocabularies (OpenIntent RFC-0022). Members equal their wire strings."""

from enum import StrEnum


class AgentVisibility(StrEnum):
    """Who may discover an agent: every peer, known peers, nobody."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class PeerRelationship(StrEnum):
    """What the peer is to this server: an equal, its delegator, its delegate."""

    PEER = "peer"
    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class TrustPolicy(StrEnum):
    """Whose requests are validated further: any server's, listed peers', nobody's."""

    OPEN = "open"
    ALLOWLIST = "allowlist"
    TRUSTLESS = "trustless"


class CallbackEventType(StrEnum):
    """What a callback reports."""

    STATE_DELTA = "state_delta"
    STATUS_CHANGED = "status_changed"
    ATTESTATION = "attestation"
    BUDGET_WARNING = "budget_warning"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def required_permission(self) -> str:
        """The permission that a delegated scope needs for the event to be taken."""
        return "state.patch" if self is CallbackEventType.STATE_DELTA else "events.log"


class DispatchStatus(StrEnum):
    """How the target answered a dispatch."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PENDING = "pending"
