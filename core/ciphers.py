"""Encryption at rest for secrets that the hub must read back (Fernet: AES-128-CBC with HMAC-SHA256).

`FEDHUB_SECRETS_KEY` is one long random text, or several separated by commas. The first key encrypts and all keys
decrypt, so the key can be replaced while the secrets under the old key stay readable.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from core.environment import listed
from core.errors import InternalError


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """The cipher of one kind of stored secret; `label` separates its keys from those of other kinds."""

    label: str

    def encrypt(self, text: str) -> str:
        """Encrypt and authenticate `text`; return printable ASCII. Raises InternalError without a key."""
        return MultiFernet(self._keys()).encrypt(text.encode()).decode("ascii")

    def decrypt(self, text: str) -> str:
        """Return the text that `encrypt` got; raise InternalError for a text of another key or a changed text."""
        try:
            return MultiFernet(self._keys()).decrypt(text.encode()).decode()
        except InvalidToken as exc:
            raise InternalError("A stored secret cannot be read with FEDHUB_SECRETS_KEY") from exc

    def is_of_first_key(self, text: str) -> bool:
        """Tell whether the first key of FEDHUB_SECRETS_KEY encrypted the text; raise InternalError without a key."""
        try:
            self._keys()[0].decrypt(text.encode())
        except InvalidToken:
            return False
        return True

    def _keys(self) -> list[Fernet]:
        keys = secrets_keys()
        if not keys:
            raise InternalError("FEDHUB_SECRETS_KEY is not set")
        # The text is random already and only has to become 32 bytes, so a slow key derivation is not needed.
        digests = [hashlib.sha256(f"{self.label}\0{key}".encode()).digest() for key in keys]
        return [Fernet(base64.urlsafe_b64encode(digest)) for digest in digests]


def secrets_keys() -> list[str]:
    """Return the keys in FEDHUB_SECRETS_KEY; the first key encrypts."""
    return listed(settings.FEDHUB_SECRETS_KEY)
