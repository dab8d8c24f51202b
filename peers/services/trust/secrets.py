"""Secrets that the hub must be able to read back, encrypted at rest (Fernet: AES-128-CBC with HMAC-SHA256).

`FEDHUB_SECRETS_KEY` is one long random text, or several separated by commas: the first encrypts, all decrypt, so that
a key can be changed without losing what the old one encrypted.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from core.errors import InternalError


def encrypt(text: str) -> str:
    """Return `text` encrypted and authenticated, as printable ASCII."""
    return _cipher().encrypt(text.encode()).decode("ascii")


def decrypt(text: str) -> str:
    """Return what `encrypt` was given; raise InternalError where no key of ours made it, or somebody changed it."""
    try:
        return _cipher().decrypt(text.encode()).decode()
    except InvalidToken as exc:
        raise InternalError("A stored secret cannot be read with FEDHUB_SECRETS_KEY") from exc


def _cipher() -> MultiFernet:
    keys = [key.strip() for key in settings.FEDHUB_SECRETS_KEY.split(",") if key.strip()]
    if not keys:
        raise InternalError("FEDHUB_SECRETS_KEY is not set")
    return MultiFernet([Fernet(_fernet_key(key)) for key in keys])


def _fernet_key(text: str) -> bytes:
    # The text is random already and only has to become 32 bytes, so no slow derivation is needed.
    return base64.urlsafe_b64encode(hashlib.sha256(b"fedhub secrets\0" + text.encode()).digest())
