"""Encryption at rest of the keys of authenticator apps."""

from __future__ import annotations

from core.ciphers import StoredSecrets

SECOND_FACTORS = StoredSecrets("fedhub second factors")

encrypt, decrypt, is_of_first_key = SECOND_FACTORS.encrypt, SECOND_FACTORS.decrypt, SECOND_FACTORS.is_of_first_key
