"""Ed25519 keys (RFC 8032) on PyNaCl, with the text forms that DID documents use.

A public key is checked once, when it is read: it must be canonical, on the curve and of prime order. Keys of small
order are refused, because one signature fits many messages, and non-canonical encodings of a key are refused
(RFC 8032, section 5.1.7).
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Self

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as NaclSigningKey

from peers.protocol.base_encodings import decode_base58btc, decode_base64, encode_base58btc, encode_base64
from peers.protocol.errors import InvalidKey, MalformedMessage, SignatureMalformed

KEY_BYTES = 32
SIGNATURE_BYTES = 64
# A rotation has an old and a new key; a third key leaves room for a mistake. More keys would let a peer waste CPU time.
MAX_KEYS_TRIED = 3
_MULTICODEC_ED25519 = b"\xed\x01"
_CACHED_KEYS = 4096


class VerificationKey:
    """A public key that was checked, immutable and hashable."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        """Check 32 raw bytes; raises InvalidKey."""
        if len(raw) != KEY_BYTES:
            raise InvalidKey(f"an Ed25519 public key has {KEY_BYTES} bytes, this one {len(raw)}")
        if not _is_safe_point(raw):
            raise InvalidKey("not a canonical Ed25519 public key of prime order")
        self._raw = raw

    @classmethod
    def from_base64(cls, text: str) -> "VerificationKey":
        """Read standard base64; raises InvalidKey."""
        try:
            return _key_from_base64(text)
        except TypeError as exc:
            raise InvalidKey("the public key is not text") from exc

    @classmethod
    def from_multibase(cls, text: str) -> Self:
        """Read `z` + base58btc of 0xed01 and the key (Ed25519VerificationKey2020); raises InvalidKey."""
        if not text.startswith("z"):
            raise InvalidKey("publicKeyMultibase is not base58btc")
        try:
            data = decode_base58btc(text[1:])
        except MalformedMessage as exc:
            raise InvalidKey("publicKeyMultibase is not base58btc") from exc
        if not data.startswith(_MULTICODEC_ED25519):
            raise InvalidKey("publicKeyMultibase does not hold an Ed25519 key")
        return cls(data[len(_MULTICODEC_ED25519) :])

    def __bytes__(self) -> bytes:
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerificationKey) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"VerificationKey({self.base64!r})"

    @property
    def base64(self) -> str:
        """Standard base64 of the raw key."""
        return encode_base64(self._raw)

    @property
    def multibase(self) -> str:
        """The text form of `publicKeyMultibase`."""
        return "z" + encode_base58btc(_MULTICODEC_ED25519 + self._raw)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw key in hex pairs, which people compare."""
        return hashlib.sha256(self._raw).digest().hex(":")

    def is_signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether this key made the 64-byte signature over the message."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            crypto_sign_open(signature + message, self._raw)
        except BadSignatureError:
            return False
        return True


class SigningKey:
    """A private key. `repr` does not show its bytes."""

    __slots__ = ("_key", "verification_key")

    def __init__(self, seed: bytes) -> None:
        """Take the raw 32-byte seed (RFC 8032, section 5.1.5); raises InvalidKey."""
        if len(seed) != KEY_BYTES:
            raise InvalidKey(f"an Ed25519 private key is a seed of {KEY_BYTES} bytes, this one has {len(seed)}")
        self._key = NaclSigningKey(seed)
        self.verification_key = VerificationKey(bytes(self._key.verify_key))

    def __repr__(self) -> str:
        return f"SigningKey(public={self.verification_key.base64!r})"

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self._key.sign(message).signature


def read_seed(data: bytes) -> bytes:
    """Return `data`, the content of a key file, if it is a raw seed of 32 bytes.

    Raises InvalidKey for any other content; the message names the format of a PEM or hex file. The function never cuts
    `data` to 32 bytes, because the first 32 bytes of such a file are a valid seed, but of another key.
    """
    if len(data) == KEY_BYTES:
        return data
    raise InvalidKey(f"not a raw {KEY_BYTES}-byte Ed25519 seed: {_describe(data)}")


def decode_signature(text: str) -> bytes:
    """Decode a base64 signature of 64 bytes; raises SignatureMalformed with the reason."""
    try:
        signature = decode_base64(text)
    except MalformedMessage as exc:
        raise SignatureMalformed("the signature is not base64") from exc
    if len(signature) == KEY_BYTES:
        raise SignatureMalformed("32 bytes: OpenIntent's HMAC fall-back, which only its maker can verify")
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureMalformed(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    return signature


def find_signer(keys: Iterable[VerificationKey], message: bytes, signature: bytes) -> VerificationKey | None:
    """Return the key that made the signature, None if none did; only the first three keys are tried."""
    for _, key in zip(range(MAX_KEYS_TRIED), keys, strict=False):
        if key.is_signed(message, signature):
            return key
    return None


def _describe(data: bytes) -> str:
    text = data.strip()
    if text.startswith(b"-----BEGIN"):
        return "this is PEM"
    if len(text) == 2 * KEY_BYTES and not text.strip(b"0123456789abcdefABCDEF"):
        return "this is hex"
    if len(text) == len(encode_base64(bytes(KEY_BYTES))) and text.endswith(b"="):
        return "this looks like base64"
    return f"{len(data)} bytes"


@lru_cache(maxsize=_CACHED_KEYS)
def _is_safe_point(raw: bytes) -> bool:
    # The check costs as much as a verification, and a hub reads the same few keys again and again.
    return crypto_core_ed25519_is_valid_point(raw)


@lru_cache(maxsize=_CACHED_KEYS)
def _key_from_base64(text: str) -> VerificationKey:
    try:
        return VerificationKey(decode_base64(text))
    except InvalidKey:
        raise
    except MalformedMessage as exc:
        raise InvalidKey("the public key is not base64") from exc
