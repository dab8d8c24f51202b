"""The verification of bearer tokens, as AgentCore's custom JWT authorizer does it.

The keys come from the JWKS that the document at the authorizer's discovery URL names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from core.strict_json import JsonObject
from sandbox.custom_claims import CustomClaim, read_custom_claim

ALGORITHMS = ["RS256"]
CLOCK_LEEWAY_SECONDS = 5
FETCH_TIMEOUT_SECONDS = 5.0


class TokenRefusedError(Exception):
    """The sandbox refuses the bearer token; the message of the error has the reason."""


@dataclass(frozen=True, slots=True)
class JwtTrust:
    """What one runtime trusts, as `read_trust` reads it from the runtime's `customJWTAuthorizer`.

    `discovery_url` leads to the issuer and its keys. `audiences`, `clients` and `scopes` (OAuth) are the values that
    the runtime accepts. A token must meet each of `custom_claims`.
    """

    discovery_url: str
    audiences: tuple[str, ...]
    clients: tuple[str, ...]
    scopes: tuple[str, ...]
    custom_claims: tuple[CustomClaim, ...] = ()

    @property
    def issuer(self) -> str:
        """Return scheme and host of the discovery URL."""
        parts = urlsplit(self.discovery_url)
        return f"{parts.scheme}://{parts.netloc}"


def read_trust(authorizer: Mapping[str, Any]) -> JwtTrust:
    """Read an `authorizerConfiguration` that has a `customJWTAuthorizer`."""
    block = authorizer["customJWTAuthorizer"]
    return JwtTrust(
        discovery_url=str(block["discoveryUrl"]),
        audiences=tuple(block.get("allowedAudience", ())),
        clients=tuple(block.get("allowedClients", ())),
        scopes=tuple(block.get("allowedScopes", ())),
        custom_claims=tuple(read_custom_claim(entry) for entry in block.get("customClaims", ())),
    )


class IssuerKeys:
    """The public keys of issuers, by discovery URL, which `verify_bearer` uses for every token.

    A token that names an unknown key makes `find` fetch the issuer's keys again. `fetches` counts the fetches.
    """

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, jwt.PyJWK]] = {}
        self._lock = asyncio.Lock()
        self.fetches = 0

    async def find(self, discovery_url: str, key_id: str) -> jwt.PyJWK:
        """Return the key `key_id` of the issuer; raise TokenRefusedError if its JWKS does not have the key."""
        known = self._keys.get(discovery_url, {})
        if key_id not in known:
            async with self._lock:
                # Another call may have fetched the keys while this call waited for the lock.
                if self._keys.get(discovery_url, {}) == known:
                    self._keys[discovery_url] = await self._fetch(discovery_url)
                known = self._keys[discovery_url]
        if key_id not in known:
            raise TokenRefusedError(f"Key '{key_id}' is not in the issuer's JWKS")
        return known[key_id]

    async def _fetch(self, discovery_url: str) -> dict[str, jwt.PyJWK]:
        self.fetches += 1
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_SECONDS, trust_env=False) as client:
                document: JsonObject = (await client.get(discovery_url)).raise_for_status().json()
                jwks: Mapping[str, Sequence[Mapping[str, str]]] = (
                    (await client.get(str(document["jwks_uri"]))).raise_for_status().json()
                )
                # A token names its key by "kid", so a key without one is not needed.
                return {str(key["kid"]): jwt.PyJWK(dict(key)) for key in jwks["keys"] if "kid" in key}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise TokenRefusedError(
                f"The keys behind {discovery_url} could not be read: {type(error).__name__}"
            ) from error


async def verify_bearer(token: str, trust: JwtTrust, keys: IssuerKeys) -> JsonObject:
    """Verify signature, times, issuer, audience, client, scopes and custom claims of `token`, and return its claims.

    Raises TokenRefusedError. The algorithm is always RS256 and is never read from the token, because the sender of the
    token could choose a weak algorithm.
    """
    key = await keys.find(trust.discovery_url, _key_id(token))
    try:
        claims: JsonObject = jwt.decode(
            token,
            key=key,
            algorithms=ALGORITHMS,
            issuer=trust.issuer,
            audience=list(trust.audiences) or None,
            leeway=CLOCK_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud"], "verify_aud": bool(trust.audiences)},
        )
    except jwt.PyJWTError as error:
        raise TokenRefusedError(f"{type(error).__name__}: {error}") from error
    _check_client(claims, trust)
    _check_scopes(claims, trust)
    for custom_claim in trust.custom_claims:
        if not custom_claim.accepts(claims):
            raise TokenRefusedError(f"Claim '{custom_claim.name}' value mismatch with configuration")
    return claims


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise TokenRefusedError(f"{type(error).__name__}: {error}") from error
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefusedError("InvalidAlgorithmError: only RS256 is accepted")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefusedError("The token does not name a key")
    return key_id


def _check_client(claims: JsonObject, trust: JwtTrust) -> None:
    if trust.clients and claims.get("client_id") not in trust.clients:
        raise TokenRefusedError("Claim 'client_id' value mismatch with configuration")


def _check_scopes(claims: JsonObject, trust: JwtTrust) -> None:
    granted = claims.get("scope")
    scopes = granted.split() if isinstance(granted, str) else []
    if trust.scopes and not set(trust.scopes) & set(scopes):
        raise TokenRefusedError("Claim 'scope' value mismatch with configuration")
