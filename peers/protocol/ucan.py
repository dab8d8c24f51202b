"""UCAN delegation tokens: their claims, their text form, and the claims of a child token (OpenIntent RFC-0023).

A token is `header.payload.signature`, each part base64url without padding. `prf` holds the full tokens of all
ancestors, oldest first, each as it was signed. A child is therefore more than twice as long as its parent, and 16 KB
hold a chain of about five tokens.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from core.strict_json import Json, JsonMapping, JsonObject, parse_json_object
from peers.protocol.base_encodings import decode_base64url, encode_base64url
from peers.protocol.delegation_scope import DelegationScope
from peers.protocol.ed25519_keys import SIGNATURE_BYTES
from peers.protocol.errors import DelegationError, DelegationFault, MalformedMessage
from peers.protocol.json_fields import read_integer, read_object, read_text, read_text_list, require_fields

# The request header that carries a token between hubs.
UCAN_HEADER = "X-OpenIntent-UCAN"
MAX_TOKEN_BYTES = 16_384
MAX_LINKS = 8
CLAIM_NAMES = ("iss", "aud", "scope", "nbf", "exp", "nonce", "prf")
SCOPE_NAMES = ("permissions", "denied_operations", "max_delegation_depth")
# The header is compared as text: the algorithm is pinned and never read from the token (RFC 8725, section 3.1).
HEADER = encode_base64url(json.dumps({"alg": "EdDSA", "typ": "UCAN"}).encode())


@dataclass(frozen=True, slots=True)
class UcanClaims:
    """The payload of a UCAN token, read from a received token or made for a new token.

    `issuer` is the DID that signs the token, `audience` the DID that may use it. `not_before` and `expires_at` are Unix
    seconds. `proof_chain` holds the full texts of all ancestor tokens, oldest first.
    """

    issuer: str
    audience: str
    scope: DelegationScope
    not_before: int
    expires_at: int
    nonce: str
    proof_chain: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the payload with its wire names."""
        proofs: list[Json] = [*self.proof_chain]
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "scope": self.scope.to_dict(),
            "nbf": self.not_before,
            "exp": self.expires_at,
            "nonce": self.nonce,
            "prf": proofs,
        }

    @classmethod
    def from_dict(cls, data: JsonMapping) -> "UcanClaims":
        """Read a payload that has every claim and every member of the scope; raises MalformedMessage.

        The documented UCANToken.from_dict fills missing claims. A verifier must not: a token without `exp` would get a
        new expiry each time it is read, and a token without permissions would get the default permissions.
        """
        data = read_object(data, "payload")
        require_fields(data, CLAIM_NAMES)
        scope = read_object(data["scope"], "scope")
        require_fields(scope, SCOPE_NAMES)
        return cls(
            issuer=read_text(data, "iss"),
            audience=read_text(data, "aud"),
            scope=DelegationScope.from_dict(scope),
            not_before=read_integer(data, "nbf"),
            expires_at=read_integer(data, "exp"),
            nonce=read_text(data, "nonce"),
            proof_chain=tuple(read_text_list(data, "prf")),
        )


@dataclass(frozen=True, slots=True)
class SplitToken:
    """The parts of a token that `split_token` returns; the signature is not verified yet.

    `text` is the whole token. `signed_bytes` are `header.payload`, which the 64-byte `signature` covers.
    """

    text: str
    payload: JsonObject
    signed_bytes: bytes
    signature: bytes


def encode_token(payload: JsonMapping, sign: Callable[[bytes], bytes]) -> str:
    """Return the signed token; `sign` makes the issuer's 64-byte signature.

    The payload is written with sorted keys and json's default separators, as OpenIntent does. Raises DelegationError
    if the token is longer than 16 KB, which every verifier refuses, MalformedMessage if the payload is not JSON.
    """
    try:
        body = json.dumps(payload, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise MalformedMessage(f"not JSON: {exc}") from exc
    signing_input = f"{HEADER}.{encode_base64url(body.encode())}"
    token = f"{signing_input}.{encode_base64url(sign(signing_input.encode()))}"
    if len(token) > MAX_TOKEN_BYTES:
        raise DelegationError(DelegationFault.TOO_LARGE, f"a token of {len(token)} bytes, at most {MAX_TOKEN_BYTES}")
    return token


def split_token(token: str) -> SplitToken:
    """Return the parts of a token without verifying it; raises MalformedMessage."""
    if token.count(".") != 2:
        raise MalformedMessage("Invalid UCAN token format")
    header, body, signature_part = token.split(".")
    if header != HEADER:
        raise MalformedMessage("the header is not the header of an EdDSA UCAN")
    payload = parse_json_object(decode_base64url(body))
    signature = decode_base64url(signature_part)
    if len(signature) != SIGNATURE_BYTES:
        raise MalformedMessage(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    return SplitToken(token, payload, f"{header}.{body}".encode(), signature)


def attenuate_claims(
    parent: UcanClaims, parent_token: str, *, audience: str, child_scope: DelegationScope, now: int, nonce: str
) -> UcanClaims:
    """Return the claims of a child token, which the parent's audience issues with a reduced scope.

    `parent_token` is the parent as its issuer signed it. The child begins at `now` or with its parent, whichever is
    later, and ends with its parent. Raises DelegationError if no depth or no time is left.
    """
    not_before = max(now, parent.not_before)
    if not_before > parent.expires_at:
        raise DelegationError(DelegationFault.EXPIRED, "the parent has expired")
    return UcanClaims(
        issuer=parent.audience,
        audience=audience,
        scope=parent.scope.attenuate(child_scope),
        not_before=not_before,
        expires_at=parent.expires_at,
        nonce=nonce,
        proof_chain=(*parent.proof_chain, parent_token),
    )
