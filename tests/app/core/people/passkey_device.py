"""A passkey in software: what a browser and its authenticator answer, right or changed in one place."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

USER_PRESENT, HAS_CREDENTIAL = 0x01, 0x40


class PasskeyDevice:
    """A device with one passkey of the hub at `origin`."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.host = origin.partition("://")[2].partition(":")[0]
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"passkey-0123456789"
        self.counter = 0

    def create(self, options: dict[str, Any], **changed: Any) -> str:
        """Answer the options of a registration."""
        key: Any = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        public = cbor.encode(dict(key))
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._authenticator_data(USER_PRESENT | HAS_CREDENTIAL) + credential
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", options, changed)
        return self._answer({"clientDataJSON": client, "attestationObject": attestation})

    def prove(self, options: dict[str, Any], *, flags: int = USER_PRESENT, count: int = 1, **changed: Any) -> str:
        """Answer the options of a proof."""
        self.counter += count
        data = self._authenticator_data(flags)
        client = self._client_data("webauthn.get", options, changed)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer({"clientDataJSON": client, "authenticatorData": data, "signature": signature})

    def _authenticator_data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client_data(self, kind: str, options: dict[str, Any], changed: dict[str, Any]) -> bytes:
        right = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(right | changed).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        parts = {name: websafe_encode(value) for name, value in response.items()}
        name = websafe_encode(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": parts})
