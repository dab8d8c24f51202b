"""The OpenIntent federation protocol (RFC-0022, RFC-0023): messages, identities, signatures, delegation, trust.

Everything documented is importable from here, without a framework and without network. The modules below are pure:
clock, nonces and keys are arguments; only `compat`, with the documented signatures, takes them from the system.

| Module | Purpose |
|---|---|
| enums, delegation, policy, messages, discovery, results | the documented models and their wire forms |
| strict_json, canonical, fields, timestamps, encoding | reading strictly, and the bytes that are signed |
| urls, addresses, ssrf, did, did_document | names of servers, and where they may lead |
| keys, identity, envelope | Ed25519, and signatures over messages |
| signature_fields, signature_base, content_digest, http_signatures | RFC 9421 and RFC 9530 |
| ucan, ucan_chain | delegation tokens |
| trust, decorators | policies, and marking classes |
| errors | what is refused, by what the caller can do |
"""

from core.net.addresses import is_public_address
from core.net.urls import is_same_origin, is_same_server, normalize_server_url
from core.net.urls_allowed import validate_ssrf
from core.strict_json import Json, JsonMapping, JsonObject, parse_json, parse_json_object
from peers.protocol.canonical_json import canonical_bytes
from peers.protocol.compat import MessageSignature, ServerIdentity, UCANToken
from peers.protocol.delegation_scope import DelegationScope
from peers.protocol.did import did_document_urls, did_of_url, is_same_did, normalize_did, resolve_did_web
from peers.protocol.did_document import build_did_document, read_did_document
from peers.protocol.discovery import FederatedAgent, FederationManifest, FederationStatus, PeerInfo
from peers.protocol.ed25519_keys import SigningKey, VerificationKey
from peers.protocol.endpoint_results import DispatchResult, ReceiveResult
from peers.protocol.enums import AgentVisibility, CallbackEventType, DispatchStatus, PeerRelationship, TrustPolicy
from peers.protocol.envelope_signatures import (
    VerifiedEnvelope,
    idempotency_digest,
    parse_callback,
    parse_envelope,
    sign_envelope,
    verify_callback,
    verify_envelope,
    verify_envelope_signature,
    verify_object,
)
from peers.protocol.errors import (
    AlgorithmRefused,
    ComponentNotCovered,
    DelegationError,
    DelegationFault,
    DigestMismatch,
    InvalidIdentifier,
    InvalidKey,
    MalformedMessage,
    MessageTooLarge,
    ProtocolError,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureNotYetValid,
    UnknownKey,
    VerificationError,
    WrongTarget,
)
from peers.protocol.federation_policy import FederationPolicy
from peers.protocol.handler_decorators import (
    Federation,
    federation_handlers,
    on_budget_warning,
    on_federation_callback,
    on_federation_received,
)
from peers.protocol.http_signatures import VerifiedRequest, sign_request, verify_request
from peers.protocol.hub_identity import HubIdentity
from peers.protocol.messages import FederationAttestation, FederationCallback, FederationEnvelope
from peers.protocol.trust_enforcer import TrustEnforcer
from peers.protocol.ucan import UCAN_HEADER, UcanClaims
from peers.protocol.ucan_chain import VerifiedDelegation, verify_chain

__all__ = [
    "UCAN_HEADER",
    "AgentVisibility",
    "AlgorithmRefused",
    "CallbackEventType",
    "ComponentNotCovered",
    "DelegationError",
    "DelegationFault",
    "DelegationScope",
    "DigestMismatch",
    "DispatchResult",
    "DispatchStatus",
    "FederatedAgent",
    "Federation",
    "FederationAttestation",
    "FederationCallback",
    "FederationEnvelope",
    "FederationManifest",
    "FederationPolicy",
    "FederationStatus",
    "HubIdentity",
    "InvalidIdentifier",
    "InvalidKey",
    "Json",
    "JsonMapping",
    "JsonObject",
    "MalformedMessage",
    "MessageSignature",
    "MessageTooLarge",
    "PeerInfo",
    "PeerRelationship",
    "ProtocolError",
    "ReceiveResult",
    "ServerIdentity",
    "SignatureExpired",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "SignatureNotYetValid",
    "SigningKey",
    "TrustEnforcer",
    "TrustPolicy",
    "UCANToken",
    "UcanClaims",
    "UnknownKey",
    "VerificationError",
    "VerificationKey",
    "VerifiedDelegation",
    "VerifiedEnvelope",
    "VerifiedRequest",
    "WrongTarget",
    "build_did_document",
    "canonical_bytes",
    "did_document_urls",
    "did_of_url",
    "federation_handlers",
    "idempotency_digest",
    "is_public_address",
    "is_same_did",
    "is_same_origin",
    "is_same_server",
    "normalize_did",
    "normalize_server_url",
    "on_budget_warning",
    "on_federation_callback",
    "on_federation_received",
    "parse_callback",
    "parse_envelope",
    "parse_json",
    "parse_json_object",
    "read_did_document",
    "resolve_did_web",
    "sign_envelope",
    "sign_request",
    "validate_ssrf",
    "verify_callback",
    "verify_chain",
    "verify_envelope",
    "verify_envelope_signature",
    "verify_object",
    "verify_request",
]
