"""Encryption at rest of the keys that peers gave this hub."""

from __future__ import annotations

from core.ciphers import StoredSecrets

PEER_KEYS = StoredSecrets("fedhub secrets")

encrypt, decrypt, is_of_first_key = PEER_KEYS.encrypt, PEER_KEYS.decrypt, PEER_KEYS.is_of_first_key
