"""The RSA key pair that signs the hub's tokens for runtimes: it is made once and kept in a private file."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from core.key_files import create_key_file

_KEY_BITS = 2048


class SigningKeyError(Exception):
    """Raised by `load_or_create` if the key file does not hold an RSA private key."""


@dataclass(frozen=True, slots=True)
class OidcKey:
    """The key pair that signs the hub's tokens for runtimes; `load_or_create` returns it.

    `kid`, the key id in the JWKS and in each token, is the thumbprint of the public key (RFC 7638).
    """

    kid: str
    private_key: rsa.RSAPrivateKey = field(repr=False)


def load_or_create(path: Path) -> OidcKey:
    """Return the key in the file at `path`; make the file on first use, with mode 0600.

    The key is cached until the file changes. Raises SigningKeyError, OSError.
    """
    if not path.exists():
        create_key_file(path, make_pem())
    return _load(path, path.stat().st_mtime_ns)


def load_existing(path: Path) -> OidcKey | None:
    """Return the key in the file at `path`, or None if the file does not exist. Raises SigningKeyError, OSError."""
    try:
        return _load(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


def make_pem() -> bytes:
    """Return a new private key as the content of a key file (PKCS #8, PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_jwk(key: rsa.RSAPublicKey) -> dict[str, str]:
    """Return the required members of a public RSA JWK (RFC 7518, section 6.3.1)."""
    numbers = key.public_numbers()
    return {"e": _base64url_integer(numbers.e), "kty": "RSA", "n": _base64url_integer(numbers.n)}


def thumbprint(key: rsa.RSAPublicKey) -> str:
    """Return the JWK thumbprint of a key: SHA-256 over its required members, sorted, without spaces (RFC 7638)."""
    canonical = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode("ascii")).digest())


@lru_cache(maxsize=4)
def _load(path: Path, modified_ns: int) -> OidcKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as exc:
        raise SigningKeyError(f"{path} does not hold a readable private key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SigningKeyError(f"{path} does not hold an RSA key")
    return OidcKey(kid=thumbprint(key.public_key()), private_key=key)


def _base64url_integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
