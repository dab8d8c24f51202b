"""The documents in which a server describes itself: manifest, status, agents, peers (OpenIntent RFC-0022)."""

from dataclasses import dataclass, field
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.enums import AgentVisibility, PeerRelationship, TrustPolicy
from peers.protocol.json_fields import (
    read_boolean,
    read_choice,
    read_integer,
    read_object,
    read_optional_text,
    read_text,
    read_text_list,
    read_text_map,
    without_falsy,
)

PROTOCOL_VERSION = "0.1"
SUPPORTED_RFCS = ("RFC-0022", "RFC-0023")
DEFAULT_ENDPOINTS = {
    "status": "/api/v1/federation/status",
    "agents": "/api/v1/federation/agents",
    "dispatch": "/api/v1/federation/dispatch",
    "receive": "/api/v1/federation/receive",
}


@dataclass
class PeerInfo:
    """A peer in the list of a server; `public_key` is the peer's Ed25519 key in base64, None if it is unknown."""

    server_url: str
    server_did: str | None = None
    relationship: PeerRelationship = PeerRelationship.PEER
    trust_policy: TrustPolicy = TrustPolicy.ALLOWLIST
    public_key: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        return {
            "server_url": self.server_url,
            "relationship": PeerRelationship(self.relationship).value,
            "trust_policy": TrustPolicy(self.trust_policy).value,
            **without_falsy({"server_did": self.server_did, "public_key": self.public_key}),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage."""
        data = read_object(data, "peer")
        return cls(
            server_url=read_text(data, "server_url"),
            server_did=read_optional_text(data, "server_did"),
            relationship=read_choice(data, "relationship", PeerRelationship.PEER),
            trust_policy=read_choice(data, "trust_policy", TrustPolicy.ALLOWLIST),
            public_key=read_optional_text(data, "public_key"),
        )


@dataclass
class FederationManifest:
    """The discovery document that a server publishes at /.well-known/openintent-federation.json.

    `visibility_default` is the visibility of agents for which the server sets none. `peers` are the peers that the
    server lists. `public_key` is the server's Ed25519 key in base64. `endpoints` gives a path for each endpoint's name.
    """

    server_did: str
    server_url: str
    protocol_version: str = PROTOCOL_VERSION
    trust_policy: TrustPolicy = TrustPolicy.ALLOWLIST
    visibility_default: AgentVisibility = AgentVisibility.PUBLIC
    supported_rfcs: list[str] = field(default_factory=lambda: list(SUPPORTED_RFCS))
    peers: list[str] = field(default_factory=list)
    public_key: str | None = None
    endpoints: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ENDPOINTS))

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        supported_rfcs: list[Json] = [*self.supported_rfcs]
        peers: list[Json] = [*self.peers]
        endpoints: JsonObject = {**self.endpoints}
        return {
            "server_did": self.server_did,
            "server_url": self.server_url,
            "protocol_version": self.protocol_version,
            "trust_policy": TrustPolicy(self.trust_policy).value,
            "visibility_default": AgentVisibility(self.visibility_default).value,
            "supported_rfcs": supported_rfcs,
            "peers": peers,
            "endpoints": endpoints,
            **without_falsy({"public_key": self.public_key}),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; absent endpoints become `{}`. Raises MalformedMessage."""
        data = read_object(data, "manifest")
        return cls(
            server_did=read_text(data, "server_did"),
            server_url=read_text(data, "server_url"),
            protocol_version=read_text(data, "protocol_version", PROTOCOL_VERSION),
            trust_policy=read_choice(data, "trust_policy", TrustPolicy.ALLOWLIST),
            visibility_default=read_choice(data, "visibility_default", AgentVisibility.PUBLIC),
            supported_rfcs=read_text_list(data, "supported_rfcs", SUPPORTED_RFCS),
            peers=read_text_list(data, "peers"),
            public_key=read_optional_text(data, "public_key"),
            endpoints=read_text_map(data, "endpoints"),
        )


@dataclass
class FederationStatus:
    """The response of a server's status endpoint: whether the protocol is enabled there, and the server's counters.

    `total_dispatches` counts the dispatches that the server sent, `total_received` those that the server received.
    """

    enabled: bool = True
    server_did: str | None = None
    trust_policy: TrustPolicy = TrustPolicy.ALLOWLIST
    peer_count: int = 0
    active_dispatches: int = 0
    total_dispatches: int = 0
    total_received: int = 0

    def to_dict(self) -> JsonObject:
        """Return the wire form; a `server_did` of None is written as null."""
        return {
            "enabled": self.enabled,
            "server_did": self.server_did,
            "trust_policy": TrustPolicy(self.trust_policy).value,
            "peer_count": self.peer_count,
            "active_dispatches": self.active_dispatches,
            "total_dispatches": self.total_dispatches,
            "total_received": self.total_received,
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage."""
        data = read_object(data, "status")
        return cls(
            enabled=read_boolean(data, "enabled", default=True),
            server_did=read_optional_text(data, "server_did"),
            trust_policy=read_choice(data, "trust_policy", TrustPolicy.ALLOWLIST),
            peer_count=read_integer(data, "peer_count"),
            active_dispatches=read_integer(data, "active_dispatches"),
            total_dispatches=read_integer(data, "total_dispatches"),
            total_received=read_integer(data, "total_received"),
        )


@dataclass
class FederatedAgent:
    """An agent that a server shows to its peers; `server_url` and `server_did` are those of the agent's server."""

    agent_id: str
    server_url: str
    capabilities: list[str] = field(default_factory=list)
    visibility: AgentVisibility = AgentVisibility.PUBLIC
    server_did: str | None = None
    status: str = "active"

    def to_dict(self) -> JsonObject:
        """Return the wire form; a `server_did` of None is written as null."""
        capabilities: list[Json] = [*self.capabilities]
        return {
            "agent_id": self.agent_id,
            "server_url": self.server_url,
            "capabilities": capabilities,
            "visibility": AgentVisibility(self.visibility).value,
            "server_did": self.server_did,
            "status": self.status,
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage."""
        data = read_object(data, "agent")
        return cls(
            agent_id=read_text(data, "agent_id"),
            server_url=read_text(data, "server_url"),
            capabilities=read_text_list(data, "capabilities"),
            visibility=read_choice(data, "visibility", AgentVisibility.PUBLIC),
            server_did=read_optional_text(data, "server_did"),
            status=read_text(data, "status", "active"),
        )
