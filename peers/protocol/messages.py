"""The signed messages between servers: envelope, callback, attestation (OpenIntent RFC-0022).

The classes are mutable dataclasses, as documented. `from_dict` fills absent keys with defaults, ignores unknown keys
and refuses wrong types. `to_dict` omits falsy optional fields, because peers sign and verify that form.
"""

from dataclasses import dataclass, field
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.delegation_scope import DelegationScope
from peers.protocol.enums import CallbackEventType
from peers.protocol.federation_policy import FederationPolicy
from peers.protocol.json_fields import (
    read_boolean,
    read_choice,
    read_json_object,
    read_object,
    read_optional_text,
    read_text,
    read_text_list,
    read_text_map,
    without_falsy,
)


@dataclass
class FederationEnvelope:
    """An intent that `source_server` sends to the receive endpoint of `target_server`.

    `intent_id` is the intent's id on the source server. `agent_id` is the wanted agent of the target server.
    `callback_url` is where the target server sends its callbacks. `created_at` is RFC 3339. `signature` is the source
    server's Ed25519 signature in base64.
    """

    dispatch_id: str
    source_server: str
    target_server: str
    intent_id: str
    intent_title: str
    intent_description: str = ""
    intent_state: JsonObject = field(default_factory=dict)
    intent_constraints: JsonObject = field(default_factory=dict)
    agent_id: str | None = None
    delegation_scope: DelegationScope | None = None
    federation_policy: FederationPolicy | None = None
    trace_context: dict[str, str] | None = None
    callback_url: str | None = None
    idempotency_key: str | None = None
    created_at: str | None = None
    signature: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form, which has at most the 16 known keys."""
        trace_context: JsonObject = {**self.trace_context} if self.trace_context else {}
        optional: JsonObject = {
            "agent_id": self.agent_id,
            "delegation_scope": self.delegation_scope.to_dict() if self.delegation_scope else None,
            "federation_policy": self.federation_policy.to_dict() if self.federation_policy else None,
            "trace_context": trace_context,
            "callback_url": self.callback_url,
            "idempotency_key": self.idempotency_key,
            "created_at": self.created_at,
            "signature": self.signature,
        }
        return {
            "dispatch_id": self.dispatch_id,
            "source_server": self.source_server,
            "target_server": self.target_server,
            "intent_id": self.intent_id,
            "intent_title": self.intent_title,
            "intent_description": self.intent_description,
            "intent_state": dict(self.intent_state),
            "intent_constraints": dict(self.intent_constraints),
            **without_falsy(optional),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage."""
        data = read_object(data, "envelope")
        scope, policy = _nested(data, "delegation_scope"), _nested(data, "federation_policy")
        return cls(
            dispatch_id=read_text(data, "dispatch_id"),
            source_server=read_text(data, "source_server"),
            target_server=read_text(data, "target_server"),
            intent_id=read_text(data, "intent_id"),
            intent_title=read_text(data, "intent_title"),
            intent_description=read_text(data, "intent_description"),
            intent_state=read_json_object(data, "intent_state"),
            intent_constraints=read_json_object(data, "intent_constraints"),
            agent_id=read_optional_text(data, "agent_id"),
            delegation_scope=DelegationScope.from_dict(scope) if scope else None,
            federation_policy=FederationPolicy.from_dict(policy) if policy else None,
            trace_context=None if data.get("trace_context") is None else read_text_map(data, "trace_context"),
            callback_url=read_optional_text(data, "callback_url"),
            idempotency_key=read_optional_text(data, "idempotency_key"),
            created_at=read_optional_text(data, "created_at"),
            signature=read_optional_text(data, "signature"),
        )


@dataclass
class FederationAttestation:
    """A remote server's statement, in a callback, on whether its work complied with the federation policy.

    `usage` is what the work consumed, such as {"llm_tokens": 500}. `timestamp` is RFC 3339, `signature` is base64.
    """

    dispatch_id: str
    governance_compliant: bool = True
    usage: JsonObject = field(default_factory=dict)
    trace_references: list[str] = field(default_factory=list)
    timestamp: str | None = None
    signature: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        references: list[Json] = [*self.trace_references]
        return {
            "dispatch_id": self.dispatch_id,
            "governance_compliant": self.governance_compliant,
            "usage": dict(self.usage),
            "trace_references": references,
            **without_falsy({"timestamp": self.timestamp, "signature": self.signature}),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; raises MalformedMessage."""
        data = read_object(data, "attestation")
        return cls(
            dispatch_id=read_text(data, "dispatch_id"),
            governance_compliant=read_boolean(data, "governance_compliant", default=True),
            usage=read_json_object(data, "usage"),
            trace_references=read_text_list(data, "trace_references"),
            timestamp=read_optional_text(data, "timestamp"),
            signature=read_optional_text(data, "signature"),
        )


@dataclass
class FederationCallback:
    """A report about dispatched work, which the target server sends to the envelope's `callback_url`.

    `state_delta` is a merge patch (RFC 7396) of the work's state. `timestamp` is RFC 3339. The signature of the
    callback is not a field of this class: the sender adds the signature to the dict of `to_dict`.
    """

    dispatch_id: str
    event_type: CallbackEventType
    state_delta: JsonObject = field(default_factory=dict)
    attestation: FederationAttestation | None = None
    trace_id: str | None = None
    idempotency_key: str | None = None
    timestamp: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the wire form."""
        optional: JsonObject = {
            "attestation": self.attestation.to_dict() if self.attestation else None,
            "trace_id": self.trace_id,
            "idempotency_key": self.idempotency_key,
            "timestamp": self.timestamp,
        }
        return {
            "dispatch_id": self.dispatch_id,
            "event_type": CallbackEventType(self.event_type).value,
            "state_delta": dict(self.state_delta),
            **without_falsy(optional),
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read the wire form; an absent event type becomes `state_delta`. Raises MalformedMessage."""
        data = read_object(data, "callback")
        attestation = _nested(data, "attestation")
        return cls(
            dispatch_id=read_text(data, "dispatch_id"),
            event_type=read_choice(data, "event_type", CallbackEventType.STATE_DELTA),
            state_delta=read_json_object(data, "state_delta"),
            attestation=FederationAttestation.from_dict(attestation) if attestation else None,
            trace_id=read_optional_text(data, "trace_id"),
            idempotency_key=read_optional_text(data, "idempotency_key"),
            timestamp=read_optional_text(data, "timestamp"),
        )


def _nested(data: JsonMapping, key: str) -> JsonMapping | None:
    # OpenIntent writes {} for an absent object, so the callers test for an empty one too.
    return read_object(data[key], key) if data.get(key) is not None else None
