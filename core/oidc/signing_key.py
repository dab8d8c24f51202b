"""The RSA key pair behind the hub's tokens for runtimes: made once, kept in a private file."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
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

_KEY_BITS = 2048


class SigningKeyError(Exception):
    """The file at the path holds no RSA private key."""


@dataclass(frozen=True, slots=True)
class OidcKey:
    """The pair, with its RFC 7638 thumbprint as `kid`."""

    kid: str
    private_key: rsa.RSAPrivateKey = field(repr=False)


def load_or_create(path: Path) -> OidcKey:
    """Return the key kept at `path`, made there on first use with mode 0600.

    A file that was replaced since is read again. Raises SigningKeyError, OSError.
    """
    if not path.exists():
        _create(path)
    return _load(path, path.stat().st_mtime_ns)


def public_jwk(key: rsa.RSAPublicKey) -> dict[str, str]:
    """Return the members of a public RSA JWK that make up its identity (RFC 7518, 6.3.1)."""
    numbers = key.public_numbers()
    return {"e": _base64url_integer(numbers.e), "kty": "RSA", "n": _base64url_integer(numbers.n)}


def thumbprint(key: rsa.RSAPublicKey) -> str:
    """Return the key's JWK thumbprint (RFC 7638: SHA-256 over the required members, in order, without spaces)."""
    canonical = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode("ascii")).digest())


@lru_cache(maxsize=4)
def _load(path: Path, modified_ns: int) -> OidcKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as exc:
        raise SigningKeyError(f"{path} holds no readable private key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SigningKeyError(f"{path} holds no RSA key")
    return OidcKey(kid=thumbprint(key.public_key()), private_key=key)


def _create(path: Path) -> None:
    """Link a whole file into place: of two processes that start at once, both use the one that came first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _base64url_integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
