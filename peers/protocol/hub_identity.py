"""The identity of a server: its did:web, the key that it signs with, and all its valid keys."""

from dataclasses import dataclass, field

from core.strict_json import JsonObject
from peers.protocol.base_encodings import encode_base64
from peers.protocol.did import did_of_url
from peers.protocol.did_document import build_did_document
from peers.protocol.ed25519_keys import SigningKey, VerificationKey, decode_signature, find_signer
from peers.protocol.errors import InvalidKey, ProtocolError


@dataclass
class HubIdentity:
    """The DID and the keys of a server, without clock or files; ServerIdentity adds making, reading and writing keys.

    Keys are raw 32 bytes; the public key is derived from the private key. During a rotation `previous_public_keys`
    holds the other public keys with which peers may verify. The DID document lists all valid keys, and `verify` accepts
    a signature of each of them. OpenIntent's HMAC fall-back is not supported.
    """

    server_url: str
    did: str = ""
    private_key_bytes: bytes | None = field(default=None, repr=False, compare=False)
    public_key_bytes: bytes | None = None
    previous_public_keys: tuple[bytes, ...] = ()
    _signer: tuple[bytes, SigningKey] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Fill in DID and public key; raises InvalidIdentifier, InvalidKey if the two keys do not belong together."""
        if not self.did:
            self.did = did_of_url(self.server_url)
        if self.private_key_bytes is not None:
            derived = bytes(self.signing_key().verification_key)
            if self.public_key_bytes not in (None, derived):
                raise InvalidKey("the public key does not belong to the private key")
            self.public_key_bytes = derived

    @property
    def public_key_b64(self) -> str:
        """The current public key in base64, an empty string if there is none."""
        return encode_base64(self.public_key_bytes) if self.public_key_bytes else ""

    @property
    def verification_keys(self) -> tuple[VerificationKey, ...]:
        """All valid keys, the current key first; raises InvalidKey if a key is unsafe."""
        current = () if self.public_key_bytes is None else (self.public_key_bytes,)
        return tuple(VerificationKey(raw) for raw in dict.fromkeys((*current, *self.previous_public_keys)))

    def signing_key(self) -> SigningKey:
        """Return the private key as an object that signs; raises InvalidKey if the identity has none."""
        if self.private_key_bytes is None:
            raise InvalidKey("No private key available for signing")
        # The derivation of the key from its seed costs as much as a signature, so the key is kept.
        if self._signer is None or self._signer[0] != self.private_key_bytes:
            self._signer = (self.private_key_bytes, SigningKey(self.private_key_bytes))
        return self._signer[1]

    def did_document(self) -> JsonObject:
        """Return the W3C DID document, which has a verification method for each valid key."""
        return build_did_document(self.did, self.verification_keys)

    def sign(self, message: bytes) -> str:
        """Return the base64 signature of the message; raises InvalidKey if the identity has no private key."""
        return encode_base64(self.signing_key().sign(message))

    def verify(self, message: bytes, signature_b64: str) -> bool:
        """Tell whether one of the valid keys made the base64 signature; False for a malformed signature."""
        try:
            return find_signer(self.verification_keys, message, decode_signature(signature_b64)) is not None
        except ProtocolError:
            return False
