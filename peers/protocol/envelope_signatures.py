"""Signatures of envelopes, callbacks and attestations, and their strict readers (OpenIntent RFC-0023).

All three carry `signature`, a base64 Ed25519 signature over their canonical bytes. The object is verified as received,
because a model that is built from it loses the unknown members, which the signature covers.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from core.net.url_grammar import is_same_server, normalize_server_url
from core.strict_json import JsonMapping, parse_json_object
from peers.protocol.base_encodings import encode_base64
from peers.protocol.canonical_json import canonical_bytes
from peers.protocol.ed25519_keys import SigningKey, VerificationKey, decode_signature, find_signer
from peers.protocol.errors import (
    DelegationError,
    DelegationFault,
    MalformedMessage,
    ProtocolError,
    SignatureExpired,
    SignatureMismatch,
    SignatureMissing,
    SignatureNotYetValid,
    UnknownKey,
    WrongTarget,
)
from peers.protocol.hub_identity import HubIdentity
from peers.protocol.json_fields import read_text
from peers.protocol.messages import FederationAttestation, FederationCallback, FederationEnvelope
from peers.protocol.timestamps import parse_timestamp

ENVELOPE_KEYS = frozenset(field.name for field in fields(FederationEnvelope))
MAX_AGE_SECONDS = 24 * 3600
MAX_AHEAD_SECONDS = 300
# OpenIntent's clients omit the target, and its server sends empty titles.
_REQUIRED = ("dispatch_id", "source_server", "intent_id")


@dataclass(frozen=True, slots=True)
class VerifiedEnvelope:
    """An envelope that `verify_envelope` has verified, and the `key` that made the signature of the envelope."""

    envelope: FederationEnvelope
    key: VerificationKey


class SignedObject:
    """An object as received, with its own `signature`.

    The canonical bytes and the decoded signature are computed once for all keys and attempts, because the time for
    both grows with the object, and a sender that has proved nothing yet chooses the size of the object.
    """

    def __init__(self, received: JsonMapping) -> None:
        """Take the object as it was parsed; it must not change any more."""
        self.received = received

    @property
    def is_signed(self) -> bool:
        """Tell whether the object has a signature, valid or not."""
        return bool(self.received.get("signature"))

    @cached_property
    def signed_bytes(self) -> bytes:
        """Return the canonical bytes that the signature covers; raises MalformedMessage."""
        return canonical_bytes(self.received)

    @cached_property
    def signature(self) -> bytes:
        """Return the 64 bytes of the signature; raises SignatureMissing, SignatureMalformed."""
        if not (text := self.received.get("signature")):
            raise SignatureMissing("the message is not signed")
        return decode_signature(text if isinstance(text, str) else "")

    def verify(self, keys: Sequence[VerificationKey]) -> VerificationKey:
        """Return the key that made the signature; at most three keys are tried. Raises as verify_object does."""
        if not keys:
            raise UnknownKey("the signer has no approved key")
        signature = self.signature
        if (key := find_signer(keys, self.signed_bytes, signature)) is None:
            raise SignatureMismatch("no approved key made the signature over this message")
        return key

    def is_signed_by_any(self, keys: Iterable[VerificationKey]) -> bool:
        """Tell whether one of the keys made the signature; all keys are tried. Raises SignatureMalformed."""
        signature = self.signature
        return any(key.is_signed(self.signed_bytes, signature) for key in keys)


def sign_object(key: SigningKey, data: JsonMapping) -> str:
    """Return the base64 signature over the object's canonical bytes; a top-level `signature` is not covered."""
    return encode_base64(key.sign(canonical_bytes(data)))


def sign_envelope(identity: HubIdentity, envelope_dict: JsonMapping) -> str:
    """Sign an envelope dict and return a base64 signature.

    The dict should hold the 16 known keys only, because a peer that rebuilds the dict loses the others. Raises
    InvalidKey if the identity has no private key, MalformedMessage for values that are not JSON.
    """
    return sign_object(identity.signing_key(), envelope_dict)


def verify_envelope_signature(public_key_b64: str, envelope_dict: JsonMapping, signature_b64: str) -> bool:
    """Tell whether the key made the signature over the envelope; False for malformed input.

    This is the documented check, which ignores target and age. verify_envelope checks them too.
    """
    try:
        key = VerificationKey.from_base64(public_key_b64)
        return key.is_signed(canonical_bytes(envelope_dict), decode_signature(signature_b64))
    except ProtocolError:
        return False


def verify_object(received: JsonMapping, keys: Sequence[VerificationKey]) -> VerificationKey:
    """Return the key that made the object's own `signature`; at most three keys are tried.

    Raises UnknownKey if `keys` is empty, SignatureMissing, SignatureMalformed, SignatureMismatch.
    """
    return SignedObject(received).verify(keys)


def verify_envelope(
    received: JsonMapping,
    *,
    keys: Sequence[VerificationKey],
    target_server: str,
    now: float,
    max_age_seconds: float = MAX_AGE_SECONDS,
) -> VerifiedEnvelope:
    """Verify a received envelope with the sender's approved keys, and return it with the key.

    `target_server` is this hub's URL, `now` Unix seconds. `created_at` may be at most `max_age_seconds` old and at most
    five minutes in the future. Raises the VerificationError that names the failure, MalformedMessage for unreadable
    fields.
    """
    key = verify_object(received, keys)
    check_freshness(received, target_server=target_server, now=now, max_age_seconds=max_age_seconds)
    return VerifiedEnvelope(read_envelope(received), key)


def check_freshness(
    received: JsonMapping, *, target_server: str, now: float, max_age_seconds: float = MAX_AGE_SECONDS
) -> None:
    """Check that a signed envelope names this server as its target, and that its age is within the bounds.

    Raises WrongTarget, SignatureExpired, SignatureNotYetValid, MalformedMessage for unreadable fields.
    """
    if not is_same_server(read_text(received, "target_server"), target_server):
        raise WrongTarget("the envelope is signed for another server")
    if not (created_at := read_text(received, "created_at")):
        raise SignatureExpired("the envelope has no created_at")
    age = now - parse_timestamp(created_at)
    if age > max_age_seconds:
        raise SignatureExpired(f"the envelope was signed {age:.0f} seconds ago")
    if age < -MAX_AHEAD_SECONDS:
        raise SignatureNotYetValid(f"the envelope is signed {-age:.0f} seconds ahead")


def verify_callback(received: JsonMapping, *, keys: Sequence[VerificationKey]) -> FederationCallback:
    """Verify a callback with the keys of the peer that its dispatch was sent to, and return the callback.

    An attestation in the callback must name the same dispatch, and if it is signed, the same peer must have signed it.
    An unsigned attestation is accepted, because the signature of the callback covers it. Raises as verify_object does,
    and SignatureMismatch for an attestation of another dispatch.
    """
    verify_object(received, keys)
    callback = read_callback(received)
    if callback.attestation is not None:
        attestation = received["attestation"]
        _verify_attestation(callback, attestation if isinstance(attestation, dict) else {}, keys)
    return callback


def idempotency_digest(data: JsonMapping) -> str:
    """Return the SHA-256, in hex, of an envelope without its time and signature.

    Two envelopes with equal digests are the same request.
    """
    timeless = {key: value for key, value in data.items() if key != "created_at"}
    return hashlib.sha256(canonical_bytes(timeless)).hexdigest()


def read_envelope(data: JsonMapping) -> FederationEnvelope:
    """Read a received envelope strictly: with all required fields, with URLs of servers, without `*` in the scope.

    Raises MalformedMessage, DelegationError for `*`.
    """
    envelope = FederationEnvelope.from_dict(data)
    _require(data, _REQUIRED)
    if "intent_title" not in data:
        raise MalformedMessage("missing: intent_title")
    normalize_server_url(envelope.source_server)
    if envelope.target_server:
        normalize_server_url(envelope.target_server)
    if envelope.delegation_scope is not None and envelope.delegation_scope.has_wildcard():
        raise DelegationError(DelegationFault.WILDCARD, "the scope asks for `*`")
    return envelope


def read_callback(data: JsonMapping) -> FederationCallback:
    """Read a received callback strictly; raises MalformedMessage."""
    callback = FederationCallback.from_dict(data)
    _require(data, ("dispatch_id", "event_type"))
    return callback


def parse_envelope(raw: bytes) -> FederationEnvelope:
    """Parse and read the bytes of an envelope; raises as parse_json_object and read_envelope do."""
    return read_envelope(parse_json_object(raw))


def parse_callback(raw: bytes) -> FederationCallback:
    """Parse and read the bytes of a callback; raises as parse_json_object and read_callback do."""
    return read_callback(parse_json_object(raw))


def _verify_attestation(
    callback: FederationCallback, attestation: JsonMapping, keys: Sequence[VerificationKey]
) -> None:
    if FederationAttestation.from_dict(attestation).dispatch_id != callback.dispatch_id:
        raise SignatureMismatch("the attestation belongs to another dispatch")
    if attestation.get("signature"):
        verify_object(attestation, keys)


def _require(data: JsonMapping, names: Iterable[str]) -> None:
    if absent := [name for name in names if not data.get(name)]:
        raise MalformedMessage(f"missing: {', '.join(absent)}")
