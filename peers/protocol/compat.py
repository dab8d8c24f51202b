"""The documented classes that make keys and nonces, read the clock, and read and write key files.

This is the only module of the package that does so. A caller that has keys, nonces and the time uses the pure modules:
hub_identity, ucan, ucan_chain, http_signatures.
"""

import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from core.strict_json import Json, JsonMapping, JsonObject
from peers.protocol.base_encodings import encode_base64, encode_base64url
from peers.protocol.delegation_scope import DelegationScope
from peers.protocol.did import is_same_did
from peers.protocol.ed25519_keys import KEY_BYTES, read_seed
from peers.protocol.errors import DelegationError, DelegationFault, InvalidKey
from peers.protocol.http_signatures import (
    ALGORITHM,
    COMPONENTS,
    LABEL,
    MAX_LIFETIME_SECONDS,
    sign_request,
    verify_request,
)
from peers.protocol.hub_identity import HubIdentity
from peers.protocol.json_fields import read_integer, read_object, read_text, read_text_list
from peers.protocol.signature_fields import SignatureInput, parse_fields
from peers.protocol.ucan import UcanClaims, attenuate_claims, encode_token, split_token
from peers.protocol.ucan_chain import verify_chain

_TOKEN_LIFETIME_SECONDS = 3600
_NONCE_BYTES = 16
_MAX_KEY_FILE_BYTES = 4096
_OWNER_READ_WRITE = stat.S_IRUSR | stat.S_IWUSR


def unix_now() -> int:
    """Return the system clock in whole Unix seconds."""
    return int(time.time())


def make_nonce() -> str:
    """Return 128 random bits as base64url, which a header field can carry."""
    return encode_base64url(secrets.token_bytes(_NONCE_BYTES))


def make_seed() -> bytes:
    """Return a new private key: 32 random bytes (RFC 8032, section 5.1.5)."""
    return secrets.token_bytes(KEY_BYTES)


def read_key_file(key_path: str | os.PathLike[str]) -> bytes:
    """Return the raw seed in a key file; raises InvalidKey that names another format, and OSError."""
    with Path(key_path).open("rb") as file:
        data = file.read(_MAX_KEY_FILE_BYTES)
    try:
        return read_seed(data)
    except InvalidKey as exc:
        raise InvalidKey(f"{os.fspath(key_path)}: {exc}") from exc


class ServerIdentity(HubIdentity):
    """A server's did:web and Ed25519 keys, as documented; HubIdentity defines the fields and signs."""

    @classmethod
    def generate(cls, server_url: str) -> Self:
        """Make a new key pair. OpenIntent's HMAC fall-back is not supported, because a peer cannot verify it."""
        return cls(server_url, private_key_bytes=make_seed())

    @classmethod
    def from_key_file(cls, server_url: str, key_path: str | os.PathLike[str]) -> Self:
        """Load the identity from a key file that holds exactly the raw 32-byte seed; raises InvalidKey, OSError."""
        return cls(server_url, private_key_bytes=read_key_file(key_path))

    def save_key(self, key_path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the raw private key with mode 0600; an existing file is replaced only with `overwrite`.

        The replacement is atomic. Raises InvalidKey if the identity has no private key, FileExistsError.
        """
        if self.private_key_bytes is None:
            raise InvalidKey("No private key available to save")
        target = Path(key_path)
        path = target.with_name(f".{target.name}.{make_nonce()}") if overwrite else target
        # O_EXCL creates the file or fails. A check before writing could race, and would follow a symbolic link.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_READ_WRITE), "wb") as file:
            file.write(self.private_key_bytes)
        if overwrite:
            path.replace(target)


@dataclass
class UCANToken:
    """A delegation token, as documented; times are Unix seconds.

    An omitted `not_before` becomes the current time, an omitted `expires_at` one hour later, and an omitted nonce a
    random nonce. The object keeps the token's text as it was signed, and `attenuate` puts that text into the child.
    """

    issuer: str
    audience: str
    scope: DelegationScope
    not_before: int = 0
    expires_at: int = 0
    nonce: str = ""
    proof_chain: list[str] = field(default_factory=list)
    _text: str = field(default="", init=False, repr=False, compare=False)

    verify = staticmethod(verify_chain)

    def __post_init__(self) -> None:
        """Fill in times and nonce."""
        self.not_before = self.not_before or unix_now()
        self.expires_at = self.expires_at or self.not_before + _TOKEN_LIFETIME_SECONDS
        self.nonce = self.nonce or make_nonce()

    def claims(self) -> UcanClaims:
        """Return the immutable payload."""
        return UcanClaims(
            issuer=self.issuer,
            audience=self.audience,
            scope=self.scope,
            not_before=self.not_before,
            expires_at=self.expires_at,
            nonce=self.nonce,
            proof_chain=tuple(self.proof_chain),
        )

    def to_dict(self) -> JsonObject:
        """Return the payload: iss, aud, scope, nbf, exp, nonce, prf."""
        return self.claims().to_dict()

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self:
        """Read a payload and fill missing fields as the constructor does; raises MalformedMessage."""
        data = read_object(data, "payload")
        scope: Json = data.get("scope", {})
        return cls(
            issuer=read_text(data, "iss"),
            audience=read_text(data, "aud"),
            scope=DelegationScope.from_dict(read_object(scope, "scope")),
            not_before=read_integer(data, "nbf"),
            expires_at=read_integer(data, "exp"),
            nonce=read_text(data, "nonce"),
            proof_chain=read_text_list(data, "prf"),
        )

    def encode(self, identity: HubIdentity) -> str:
        """Sign the token and return `header.payload.signature`; raises DelegationError if another identity signs."""
        if not is_same_did(identity.did, self.issuer):
            raise DelegationError(DelegationFault.SIGNATURE, "only the issuer can sign a token")
        self._text = encode_token(self.to_dict(), identity.signing_key().sign)
        return self._text

    @classmethod
    def decode(cls, token: str) -> Self:
        """Read a token without verifying it, as documented; see `verify`.

        Raises MalformedMessage, with the text `Invalid UCAN token format` if the token has not three parts.
        """
        decoded = cls.from_dict(split_token(token).payload)
        decoded._text = token
        return decoded

    def is_expired(self) -> bool:
        """Tell whether now is later than `expires_at`."""
        return unix_now() > self.expires_at

    def is_active(self) -> bool:
        """Tell whether now lies within [not_before, expires_at], both ends included."""
        return self.not_before <= unix_now() <= self.expires_at

    def attenuate(self, audience: str, child_scope: DelegationScope, identity: HubIdentity) -> "UCANToken":
        """Return a child token for `audience`, which the audience of this token then encodes.

        `identity` passes the token on. The child carries this token as its issuer signed it. A token that was never
        encoded is signed now, if `identity` is its issuer. Raises DelegationError if no depth or no time is left, if
        the token has no signed text, and if its fields differ from its signed text.
        """
        child = attenuate_claims(
            self.claims(),
            self._signed_text(identity),
            audience=audience,
            child_scope=child_scope,
            now=unix_now(),
            nonce=make_nonce(),
        )
        return UCANToken(
            child.issuer,
            child.audience,
            child.scope,
            not_before=child.not_before,
            expires_at=child.expires_at,
            nonce=child.nonce,
            proof_chain=list(child.proof_chain),
        )

    def _signed_text(self, identity: HubIdentity) -> str:
        if not self._text and is_same_did(identity.did, self.issuer):
            return self.encode(identity)
        if not self._text or UcanClaims.from_dict(split_token(self._text).payload) != self.claims():
            raise DelegationError(DelegationFault.SIGNATURE, "the parent has changed, or is not signed by its issuer")
        return self._text


@dataclass
class MessageSignature:
    """An HTTP message signature of a request, as documented; `key_id` is the signer's DID, `created` Unix seconds."""

    key_id: str
    algorithm: str = ALGORITHM
    created: int = 0
    headers: list[str] = field(default_factory=lambda: list(COMPONENTS))
    signature: str = ""
    nonce: str = ""
    expires: int = 0
    content_type: str = "application/json"
    content_digest: str = ""

    verify = staticmethod(verify_request)

    def __post_init__(self) -> None:
        """Fill in times and nonce."""
        self.created = self.created or unix_now()
        self.expires = self.expires or self.created + MAX_LIFETIME_SECONDS
        self.nonce = self.nonce or make_nonce()

    @classmethod
    def create(
        cls,
        identity: HubIdentity,
        method: str,
        target_uri: str,
        content_type: str = "application/json",
        body: bytes | None = None,
    ) -> Self:
        """Sign a request at the current time with a new nonce; raises InvalidKey, SignatureMalformed."""
        message_signature = cls(key_id=identity.did, content_type=content_type)
        fields = sign_request(
            identity.signing_key(),
            keyid=message_signature.key_id,
            method=method,
            target_uri=target_uri,
            body=body or b"",
            created=message_signature.created,
            nonce=message_signature.nonce,
            content_type=content_type,
        )
        message_signature.content_digest = fields["Content-Digest"]
        message_signature.signature = encode_base64(parse_fields(fields["Signature-Input"], fields["Signature"])[1])
        return message_signature

    def to_header(self) -> str:
        """Return the Signature-Input header value."""
        parameters = (
            ("created", self.created),
            ("keyid", self.key_id),
            ("alg", self.algorithm),
            ("nonce", self.nonce),
            ("expires", self.expires),
        )
        return f"{LABEL}={SignatureInput(tuple(self.headers), parameters).serialize()}"

    def signature_header(self) -> str:
        """Return the Signature header value."""
        return f"{LABEL}=:{self.signature}:"

    def request_headers(self) -> dict[str, str]:
        """Return all headers that the signed request must carry."""
        return {
            "Content-Type": self.content_type,
            "Content-Digest": self.content_digest,
            "Signature-Input": self.to_header(),
            "Signature": self.signature_header(),
        }
