"""The OpenIntent federation protocol (RFC-0022, RFC-0023): messages, identities, signatures, delegation, trust.

Every documented name is importable from this package, which uses no framework and no network.

Theory of operation
===================
Every module except `compat` is pure. The time, nonces, keys and limits are arguments, and each function returns a
value or raises a ProtocolError. `compat` holds the documented classes that read the clock, make nonces and keys, and
read and write key files.

A server has a URL, and the URL gives its did:web. The DID document of the server lists its Ed25519 public keys. This
package does not fetch that document. The hub fetches it, staff approve a key, and the hub passes the approved keys to
the functions that verify.

A sender makes a request in three steps. `to_dict` writes the message as a dict without empty optional fields.
`sign_envelope` signs the canonical bytes of that dict, and the sender stores the result in the member `signature`.
`sign_request` signs the HTTP request. A retry sends the same envelope, with a new HTTP signature and a new nonce.

| Signature | What it covers | How long it is valid |
|---|---|---|
| envelope, callback, attestation | all members of the object except its own `signature` | envelope: 24 hours |
| HTTP request (RFC 9421) | method, target URI, content type, digest of the body; time, DID, nonce | 300 seconds |
| UCAN token | its header and its payload, and thereby the full tokens of all its ancestors | `nbf` to `exp` |
| key continuity | the DID, the old key and the new key | until the document omits it |

The envelope signature proves the author of the message: a third server cannot change the message, and a hub with
another URL refuses it. The HTTP signature proves the sender of one request: a copy of the request is refused, because
the hub records the nonce.

A receiver verifies in four steps, and each step raises the refusal that applies. `parse_json_object` reads bytes that
have one meaning for every reader. `verify_request` checks components, times, digest and signature. `verify_envelope`
checks signature, target, age and required fields. `verify_chain` checks every token of a delegation. Signatures are
verified over the object as received, because a model that is built from the object loses the unknown members. The hub
itself records nonces, finds replays and asks the `TrustEnforcer`.

| Module | Purpose |
|---|---|
| enums, messages, delegation_scope, federation_policy | the documented messages, and the rules to combine their parts |
| discovery, endpoint_results | the documented response bodies of servers |
| canonical_json, json_fields, timestamps, base_encodings | strict reading, and the bytes that are signed |
| did, did_document, key_continuity | names of servers, and the keys that belong to them |
| ed25519_keys, hub_identity, envelope_signatures | Ed25519 keys, and signatures over messages |
| signature_fields, signature_base, content_digest, http_signatures | RFC 9421 and RFC 9530 |
| ucan, ucan_chain | delegation tokens |
| trust_enforcer, handler_decorators | trust policies, and the marks of handler classes |
| merge_patch | RFC 7396, for state deltas |
| jcs, federation_log, log_verification, receipts | extensions of fedhub (docs/protocol-extensions.md) |
| compat | the documented classes that need clock, randomness or files |
| errors | the refusals, by what the caller can do |

`core` holds what other packages need too, in pure modules: `core.strict_json`, and in `core.net` the rules for URLs
and addresses. This package exports their names as well.
"""

from core.net.addresses import is_public_address
from core.net.ssrf import validate_ssrf
from core.net.url_grammar import is_same_origin, is_same_server, normalize_server_url
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
