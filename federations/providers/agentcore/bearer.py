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
    """Raised by `mint` for a runtime that must not get a token of the hub. The text of the error is the reason."""


@dataclass(frozen=True, slots=True)
class BearerKey:
    """The key that `mint` signs tokens with, and its id.

    The hub's JWKS lists the public key under the id `kid` (RFC 7517), so that an authorizer finds it.
    """

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
    """Mint an RS256 JWT (RFC 7519) that the authorizer of the runtime with the ARN `runtime_arn` accepts.

    `access` holds what the authorizer requires. `now` is the time of issue, with a time zone; `token_id` becomes the
    claim `jti`. `foreign_audiences` are the audiences of the hub and of runtimes of other accounts, which the token
    must not have. Raises TokenRefusedError if the `discovery_url` of `access` is not an http(s) URL, or if every
    audience of `access` is foreign.
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
