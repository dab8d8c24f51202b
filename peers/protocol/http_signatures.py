"""HTTP message signatures of requests (RFC 9421), signed and verified, with an RFC 9530 digest of the body.

This module does not use the package http-message-signatures, for these reasons: its verifier reads the system clock
and has no argument `now`, it resolves one key for a keyid although a rotation has several, it expects cryptography's
key objects, it changes the message that it signs, and it raises one class for nearly all refusals. The general part of
RFC 9421, Structured Fields, is read by the package http-sf in both. Tests sign with each of the two implementations and
verify with the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from peers.protocol.content_digest import content_digest, verify_content_digest
from peers.protocol.ed25519_keys import SIGNATURE_BYTES, SigningKey, VerificationKey, find_signer
from peers.protocol.errors import (
    AlgorithmRefused,
    ComponentNotCovered,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    SignatureNotYetValid,
    UnknownKey,
)
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import SignatureInput, parse_fields, serialize_fields, split_fields

ALGORITHM = "ed25519"
COMPONENTS = ("@method", "@target-uri", "content-type", "content-digest")
LABEL = "sig1"
MAX_SKEW_SECONDS = 300
MAX_LIFETIME_SECONDS = 300
MAX_NONCE_CHARS = 128
MAX_KEYID_CHARS = 2048

ResolveKeys = Callable[[str], Sequence[VerificationKey]]


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """The parameters of a signature that `verify_request` has verified.

    The caller must record `nonce` for the peer until `expires` plus the clock skew, because a copy of the request could
    otherwise pass. `key` is the key that made the signature; `created` and `expires` are Unix seconds. `others` are
    further verified signatures of the same request; the caller records the nonces of `others` too.
    """

    keyid: str
    key: VerificationKey
    nonce: str
    created: int
    expires: int
    others: "tuple[VerifiedRequest, ...]" = ()

    @property
    def signatures(self) -> "tuple[VerifiedRequest, ...]":
        """Return this signature and the `others` of the same request."""
        return (self, *self.others)


def sign_request(
    key: SigningKey,
    *,
    keyid: str,
    method: str,
    target_uri: str,
    body: bytes,
    created: int,
    nonce: str,
    content_type: str = "application/json",
    lifetime_seconds: int = MAX_LIFETIME_SECONDS,
) -> dict[str, str]:
    """Return the headers of a signed request: Content-Type, Content-Digest, Signature-Input, Signature.

    A request without a body carries the digest of zero bytes, so that every request has the same components. `keyid`
    is the signer's DID, `created` Unix seconds. Raises SignatureMalformed for values that cannot be signed.
    """
    headers = {"Content-Type": content_type, "Content-Digest": content_digest(body)}
    signature_input = SignatureInput(
        COMPONENTS,
        (
            ("created", created),
            ("keyid", keyid),
            ("alg", ALGORITHM),
            ("nonce", nonce),
            ("expires", created + lifetime_seconds),
        ),
    )
    base = signature_base(HttpRequest(method.upper(), target_uri, headers, body), signature_input)
    return headers | serialize_fields(LABEL, signature_input, key.sign(base))


def verify_request(
    *, method: str, target_uri: str, headers: Mapping[str, str], body: bytes, resolve_keys: ResolveKeys, now: int
) -> VerifiedRequest:
    """Verify the signatures of a request.

    `target_uri` is this hub's own URL with the path and query of the request; `body` holds the bytes as received;
    `now` is Unix seconds. `resolve_keys` returns the approved keys for a keyid; the keyid is used for that look-up
    alone. Cheap checks come first: fields, components, times, digest, keys, signature. The caller records the nonce
    after this call and refuses a nonce that it recorded before. Raises the VerificationError that names the failure.

    If a request has several signatures (RFC 9421, section 4.3), each signature that `resolve_keys` has keys for must be
    valid, so that a valid signature never hides an invalid signature. Signatures of other parties, such as a proxy, are
    ignored. At least one signature must have keys.
    """
    request = HttpRequest(method, target_uri, headers, body)
    fields = request.header("signature-input"), request.header("signature")
    members = split_fields(*fields)
    if not members:
        return _verify_signature(request, *parse_fields(*fields), resolve_keys, now)
    known = [(member, keys) for member in members if member.keyid and (keys := resolve_keys(member.keyid))]
    if not known:
        raise UnknownKey("none of the signers has an approved key")
    first, *others = [_verify_signature(request, *member.read(), keys, now) for member, keys in known]
    return replace(first, others=tuple(others))


def _verify_signature(
    request: HttpRequest,
    signature_input: SignatureInput,
    signature: bytes,
    keys: Sequence[VerificationKey] | ResolveKeys,
    now: int,
) -> VerifiedRequest:
    verified = _read_parameters(signature_input)
    for component in COMPONENTS:
        if component not in signature_input.components:
            raise ComponentNotCovered(component)
    _check_time(verified.created, verified.expires, now)
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureMalformed(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    verify_content_digest(request.header("content-digest"), request.body)
    keys = keys(verified.keyid) if callable(keys) else keys
    if not keys:
        raise UnknownKey("the signer has no approved key")
    key = find_signer(keys, signature_base(request, signature_input), signature)
    if key is None:
        raise SignatureMismatch("no approved key made the signature over this request")
    return VerifiedRequest(verified.keyid, key, verified.nonce, verified.created, verified.expires)


@dataclass(frozen=True, slots=True)
class _Parameters:
    keyid: str
    nonce: str
    created: int
    expires: int


def _read_parameters(signature_input: SignatureInput) -> _Parameters:
    # RFC 9421, section 7.3.6: the key determines the algorithm; a parameter that names another one is refused.
    if signature_input.text("alg") not in (None, ALGORITHM):
        raise AlgorithmRefused(f"only {ALGORITHM} is accepted")
    keyid, nonce = signature_input.text("keyid"), signature_input.text("nonce")
    created, expires = signature_input.integer("created"), signature_input.integer("expires")
    if not keyid or not nonce or created is None or expires is None:
        raise SignatureMalformed("created, expires, keyid and nonce are required")
    if len(nonce) > MAX_NONCE_CHARS or len(keyid) > MAX_KEYID_CHARS:
        raise SignatureMalformed("keyid or nonce is too long")
    return _Parameters(keyid, nonce, created, expires)


def _check_time(created: int, expires: int, now: int) -> None:
    if created < now - MAX_SKEW_SECONDS:
        raise SignatureExpired(f"signed {now - created} seconds ago")
    if created > now + MAX_SKEW_SECONDS:
        raise SignatureNotYetValid(f"signed {created - now} seconds ahead")
    if not 0 <= expires - created <= MAX_LIFETIME_SECONDS:
        raise SignatureExpired(f"valid for {expires - created} seconds, at most {MAX_LIFETIME_SECONDS}")
    if expires < now:
        raise SignatureExpired(f"expired {now - expires} seconds ago")
