"""HTTP message signatures of requests: real RFC 9421, signed and verified, with an RFC 9530 digest of the body.

Why this does not stand on PyPI's http-message-signatures: its verifier reads the system clock and takes no `now`,
resolves one key for a keyid where a rotation has several, wants cryptography's key objects, writes into the message
it signs, and reports nearly all refusals as one class. What is hard and general there is Structured Fields, and that is
http-sf, which it uses itself and this package too. The rest is small; clock, nonce and keys are arguments; each
refusal has its class, a missing `keyid` like any other; and it is tested against that library in both directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
from peers.protocol.signature_fields import SignatureInput, parse_fields, serialize_fields

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
    """What a verified signature says. The caller stores `nonce` as used, per peer, until `expires` and the skew."""

    keyid: str
    key: VerificationKey
    nonce: str
    created: int
    expires: int


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

    A request without a body carries the digest of no bytes, so that all requests are covered alike. `keyid` is the
    signer's DID. Raises SignatureMalformed for values that cannot be signed.
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
    """Verify a request's signature.

    `target_uri` is this hub's own URL with the request's path and query; `body` the bytes as received; `resolve_keys`
    gives the approved keys of a keyid, which is a hint for that look-up and nothing else; `now` is Unix seconds.
    The order is cheap before dear: fields, coverage, time, digest, keys, signature. Whether the nonce was seen before
    is the caller's to check, after this. Raises the VerificationError that says what fails.
    """
    request = HttpRequest(method, target_uri, headers, body)
    signature_input, signature = parse_fields(request.header("signature-input"), request.header("signature"))
    verified = _read_parameters(signature_input)
    for component in COMPONENTS:
        if component not in signature_input.components:
            raise ComponentNotCovered(component)
    _check_time(verified.created, verified.expires, now)
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureMalformed(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    verify_content_digest(request.header("content-digest"), body)
    keys = resolve_keys(verified.keyid)
    if not keys:
        raise UnknownKey("no key is approved for the signer")
    key = find_signer(keys, signature_base(request, signature_input), signature)
    if key is None:
        raise SignatureMismatch("the signature does not fit the request and the approved keys")
    return VerifiedRequest(verified.keyid, key, verified.nonce, verified.created, verified.expires)


@dataclass(frozen=True, slots=True)
class _Parameters:
    keyid: str
    nonce: str
    created: int
    expires: int


def _read_parameters(signature_input: SignatureInput) -> _Parameters:
    # RFC 9421, section 7.3.6: the algorithm is that of the key; the parameter may agree, never choose.
    if signature_input.text("alg") not in (None, ALGORITHM):
        raise AlgorithmRefused(f"only {ALGORITHM} is accepted")
    keyid, nonce = signature_input.text("keyid"), signature_input.text("nonce")
    created, expires = signature_input.integer("created"), signature_input.integer("expires")
    if not keyid or not nonce or created is None or expires is None:
        raise SignatureMalformed("created, expires, keyid and nonce are all needed")
    if len(nonce) > MAX_NONCE_CHARS or len(keyid) > MAX_KEYID_CHARS:
        raise SignatureMalformed("keyid or nonce too long")
    return _Parameters(keyid, nonce, created, expires)


def _check_time(created: int, expires: int, now: int) -> None:
    if created < now - MAX_SKEW_SECONDS:
        raise SignatureExpired(f"signed {now - created} seconds ago")
    if created > now + MAX_SKEW_SECONDS:
        raise SignatureNotYetValid(f"signed {created - now} seconds ahead")
    if not 0 <= expires - created <= MAX_LIFETIME_SECONDS:
        raise SignatureExpired(f"valid for {expires - created} seconds, at most {MAX_LIFETIME_SECONDS}")
    if expires < now:
        raise SignatureExpired(f"ended {now - expires} seconds ago")
