"""The hub's bearer tokens for runtimes with a JWT authorizer.

A token is valid for one runtime and for five minutes. Its claims `token_use` and `runtime_arn` do not occur in tokens
for the hub's own API, so a runtime cannot use the token against the hub or against another runtime.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from federations.sync.resources import RuntimeAccess

TOKEN_USE = "agentcore_runtime"  # noqa: S105 - the value of a claim, not a secret
_LIFETIME = timedelta(minutes=5)


class TokenRefusedError(Exception):
    """The hub must not mint a token for this runtime. The text is the reason."""


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
    """Mint an RS256 JWT (RFC 7519) that this runtime's authorizer accepts.

    `now` is aware, `token_id` becomes the claim `jti`. `foreign_audiences` are the audiences of the hub and of runtimes
    of other accounts. Raises TokenRefusedError if `discovery_url` is not an http(s) URL, or if every audience is
    foreign.
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
    """Return scheme, host and port of an OIDC discovery URL, which the authorizer expects as `iss`.

    Raises TokenRefusedError if it is not an http(s) URL.
    """
    parts = urlsplit(discovery_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TokenRefusedError("the authorizer's discoveryUrl is not an http(s) URL")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _audience(access: RuntimeAccess, runtime_arn: str, foreign_audiences: Collection[str]) -> str:
    """Return the first audience of the runtime that is not foreign.

    An authorizer without audiences does not check the claim. Its token still has the runtime's ARN as its audience, so
    that no other service accepts the token.
    """
    if not access.audiences:
        return runtime_arn
    own = [audience for audience in access.audiences if audience not in foreign_audiences]
    if not own:
        raise TokenRefusedError("its audience belongs to the hub or to a runtime of another account")
    return own[0]
