"""Encryption at rest for secrets that the hub must read back (Fernet: AES-128-CBC with HMAC-SHA256).

`FEDHUB_SECRETS_KEY` is one long random text, or several separated by commas. The first key encrypts and all keys
decrypt, so the key can be replaced while the secrets under the old key stay readable.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from core.errors import InternalError


def encrypt(text: str) -> str:
    """Encrypt and authenticate `text`; return printable ASCII. Raises InternalError if FEDHUB_SECRETS_KEY is empty."""
    return _cipher().encrypt(text.encode()).decode("ascii")


def decrypt(text: str) -> str:
    """Return the text that `encrypt` got; raises InternalError for a text of another key or a changed text."""
    try:
        return _cipher().decrypt(text.encode()).decode()
    except InvalidToken as exc:
        raise InternalError("A stored secret cannot be read with FEDHUB_SECRETS_KEY") from exc


def is_of_first_key(text: str) -> bool:
    """Tell whether the first key of FEDHUB_SECRETS_KEY encrypted the text; raises InternalError without a key."""
    try:
        _ciphers()[0].decrypt(text.encode())
    except InvalidToken:
        return False
    return True


def secrets_keys() -> list[str]:
    """Return the keys in FEDHUB_SECRETS_KEY; the first key encrypts."""
    return [key.strip() for key in settings.FEDHUB_SECRETS_KEY.split(",") if key.strip()]


def _cipher() -> MultiFernet:
    return MultiFernet(_ciphers())


def _ciphers() -> list[Fernet]:
    keys = secrets_keys()
    if not keys:
        raise InternalError("FEDHUB_SECRETS_KEY is not set")
    return [Fernet(_fernet_key(key)) for key in keys]


def _fernet_key(text: str) -> bytes:
    # The text is random already and only has to become 32 bytes, so a slow key derivation is not needed.
    return base64.urlsafe_b64encode(hashlib.sha256(b"fedhub secrets\0" + text.encode()).digest())
