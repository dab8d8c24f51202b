"""Encryption at rest of the keys of authenticator apps (Fernet), with keys derived from FEDHUB_SECRETS_KEY.

FEDHUB_SECRETS_KEY may hold several keys, separated by commas: the first encrypts, and all decrypt.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from core.errors import InternalError


def encrypt(text: str) -> str:
    """Return `text` encrypted, as ASCII; raise InternalError if FEDHUB_SECRETS_KEY is empty."""
    return _cipher().encrypt(text.encode()).decode("ascii")


def decrypt(text: str) -> str:
    """Return the text that `encrypt` got; raise InternalError for a text of another key or a changed text."""
    try:
        return _cipher().decrypt(text.encode()).decode()
    except InvalidToken as exc:
        raise InternalError("A stored second factor cannot be read with FEDHUB_SECRETS_KEY") from exc


def is_of_first_key(text: str) -> bool:
    """Tell whether the first key of FEDHUB_SECRETS_KEY encrypted the text; raise InternalError without a key."""
    try:
        _ciphers()[0].decrypt(text.encode())
    except InvalidToken:
        return False
    return True


def _cipher() -> MultiFernet:
    return MultiFernet(_ciphers())


def _ciphers() -> list[Fernet]:
    keys = [key.strip() for key in settings.FEDHUB_SECRETS_KEY.split(",") if key.strip()]
    if not keys:
        raise InternalError("FEDHUB_SECRETS_KEY is not set")
    # The text is random already and only has to become 32 bytes; the label separates it from other uses of the key.
    digests = [hashlib.sha256(b"fedhub second factors\0" + key.encode()).digest() for key in keys]
    return [Fernet(base64.urlsafe_b64encode(digest)) for digest in digests]
