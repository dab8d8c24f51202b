"""The two public documents of an OIDC issuer, as values."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.oidc.signing_key import public_jwk, thumbprint

JWKS_PATH = "/.well-known/jwks.json"
DISCOVERY_PATH = "/.well-known/openid-configuration"


def jwks(*keys: RSAPublicKey) -> dict[str, list[dict[str, str]]]:
    """Return the JWK Set (RFC 7517, section 5) of the signing key and of the keys before and after it."""
    return {"keys": [{**public_jwk(key), "kid": thumbprint(key), "use": "sig", "alg": "RS256"} for key in keys]}


def discovery(issuer: str) -> dict[str, str | list[str]]:
    """Return the provider metadata of `issuer`, a URL without trailing slash (OpenID Connect Discovery 1.0, section 3).

    Users cannot log in at this issuer. The standard requires an authorization endpoint, so it is a URN, not a URL.
    """
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}{JWKS_PATH}",
        "authorization_endpoint": "urn:fedhub:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "client_id", "scope"],
    }
