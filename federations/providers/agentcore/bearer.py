"""The hub's tokens for runtimes with a JWT authorizer.

They are for one runtime, live five minutes, and name themselves: `token_use` and the runtime's ARN are claims that no
token for the hub's own API has, so that a runtime cannot turn one against the hub or against another runtime.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from federations.sync.resources import RuntimeAccess

TOKEN_USE = "agentcore_runtime"  # noqa: S105 - a claim's value, no secret
_LIFETIME = timedelta(minutes=5)


class TokenRefusedError(Exception):
    """No token may be made for this runtime; the text says why."""


@dataclass(frozen=True, slots=True)
class BearerKey:
    """The key pair that signs the tokens, and the `kid` under which the hub's JWKS lists it (RFC 7517)."""

    kid: str
    private_key: RSAPrivateKey = field(repr=False)


def mint(
    access: RuntimeAccess,
    runtime_arn: str,
    *,
    key: BearerKey,
    now: datetime,
    token_id: str,
    foreign_audiences: Collection[str] = (),
) -> str:
    """Return an RS256 JWT (RFC 7519) that this runtime's authorizer accepts.

    Raises TokenRefusedError where `discovery_url` names no issuer, or where every audience is foreign.
    """
    claims: dict[str, str | int] = {
        "iss": issuer_of(access.discovery_url),
        "sub": "fedhub",
        "aud": _audience(access, runtime_arn, foreign_audiences),
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + _LIFETIME).timestamp()),
        "jti": token_id,
        "token_use": TOKEN_USE,
        "runtime_arn": runtime_arn,
    }
    if access.allowed_clients:
        claims["client_id"] = access.allowed_clients[0]
    if access.allowed_scopes:
        claims["scope"] = " ".join(access.allowed_scopes)
    return jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})


def issuer_of(discovery_url: str) -> str:
    """Return scheme and host (with its port) of an OIDC discovery address: what the token's `iss` has to be."""
    parts = urlsplit(discovery_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TokenRefusedError("the authorizer's discoveryUrl is no http(s) address")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _audience(access: RuntimeAccess, runtime_arn: str, foreign_audiences: Collection[str]) -> str:
    """Return the first audience of the runtime that is nobody else's.

    An authorizer without audiences checks none; its token still gets one, so that it is of no use anywhere else.
    """
    if not access.audiences:
        return runtime_arn
    own = [audience for audience in access.audiences if audience not in foreign_audiences]
    if not own:
        raise TokenRefusedError("its audience belongs to the hub or to a runtime of another account")
    return own[0]
