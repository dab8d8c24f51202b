"""Agent cards signed by jwcrypto, which has no code in common with the hub's verification."""

from __future__ import annotations

import json
from typing import Any

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from federations.sync.resources import JsonObject

KINDS: dict[str, dict[str, Any]] = {
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "RS256": {"kty": "RSA", "size": 2048},
    "PS256": {"kty": "RSA", "size": 2048},
}

CARD: JsonObject = {
    "name": "Route Planner",
    "description": "Plans routes, with détours.",
    "version": "1.2.0",
    "supportedInterfaces": [
        {"url": "https://routes.example.com/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "provider": {"organization": "Routes Ltd", "url": "https://routes.example.com"},
    "capabilities": {
        "streaming": False,
        "extensions": [{"uri": "https://routes.example.com/x", "params": {"ratio": 0.5, "most": 1e21, "none": None}}],
    },
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "plan", "name": "Plan", "description": "Plans a route.", "tags": []}],
}
"""A card whose canonical form needs no member left out."""


def key_pair(algorithm: str = "EdDSA", kid: str = "key-1") -> JWK:
    return JWK.generate(kid=kid, **KINDS[algorithm])


def public(key: JWK) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(key.export_public())
    return found


def signature(payload: bytes, key: JWK, algorithm: str = "EdDSA", **header: Any) -> JsonObject:
    """Return the entry of a card's `signatures` over the payload."""
    jws = JWS(payload)
    protected = {"alg": algorithm, "kid": key.get("kid"), "typ": "JOSE"} | header
    jws.add_signature(key, None, json.dumps({name: value for name, value in protected.items() if value is not None}))
    found = json.loads(jws.serialize())
    return {"protected": found["protected"], "signature": found["signature"]}


def signed(key: JWK, algorithm: str = "EdDSA", card: JsonObject = CARD) -> JsonObject:
    """Return the card with a signature, whose payload the standard library of Python makes canonical.

    The card's names are ASCII, and its one number beyond integers is a half.
    """
    text = json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**card, "signatures": [signature(text.encode(), key, algorithm)]}
