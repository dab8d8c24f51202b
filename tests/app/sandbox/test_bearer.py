"""The sandbox's JWT authorizer: each part of a token is made wrong once."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.authorizers import AUDIENCE
from sandbox.bearer_tokens import IssuerKeys, JwtTrust, TokenRefusedError, read_trust, verify_bearer
from tests.app.sandbox.conftest import KEY_ID, Issuer, jwt_block


def trust_of(issuer: Issuer, **restrictions: list[str]) -> JwtTrust:
    return read_trust({"customJWTAuthorizer": {**jwt_block(issuer.url), **restrictions}})


def check(token: str, trust: JwtTrust) -> dict[str, Any]:
    return asyncio.run(verify_bearer(token, trust, IssuerKeys()))


def test_a_good_token_is_accepted(issuer: Issuer) -> None:
    assert check(issuer.token(), trust_of(issuer))["sub"] == "hub"


CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://elsewhere.example"},
    "issuer with the discovery path": {"iss": "/.well-known/openid-configuration"},
    "audience": {"aud": "someone-else"},
    "expired": {"exp": 1_700_000_000},
    "issued in the future": {"iat": 4_000_000_000},
    "not yet valid": {"nbf": 4_000_000_000},
    "exp missing": {"exp": None},
    "iat missing": {"iat": None},
    "iss missing": {"iss": None},
    "aud missing": {"aud": None},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
def test_each_wrong_claim_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**issuer.claims(), **changes}.items() if value is not None}
    with pytest.raises(TokenRefusedError):
        check(issuer.token(claims), trust_of(issuer))


def unsigned(issuer: Issuer) -> str:
    return f"{encode_part({'alg': 'none', 'kid': KEY_ID})}.{encode_part(issuer.claims())}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """Return a token whose HMAC secret is the public key, which tries to make the verifier use HMAC."""
    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = ".".join(encode_part(part) for part in ({"alg": "HS256", "kid": KEY_ID}, issuer.claims()))
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).rstrip(b"=")
    return f"{signed}.{signature.decode()}"


def encode_part(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def signed_by_another(issuer: Issuer) -> str:
    return issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))


def with_changed_payload(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encode_part({**issuer.claims(), 'sub': 'root'})}.{signature}"


TOKENS: dict[str, Callable[[Issuer], str]] = {
    "unsigned": unsigned,
    "algorithm confusion": signed_with_the_public_key,
    "another key": signed_by_another,
    "changed payload": with_changed_payload,
    "signature cut": lambda issuer: issuer.token()[:-8],
    "no key id": lambda issuer: jwt.encode(issuer.claims(), issuer.key, algorithm="RS256"),
    "unknown key id": lambda issuer: issuer.token(key_id="nobody"),
    "RS384": lambda issuer: jwt.encode(issuer.claims(), issuer.key, algorithm="RS384", headers={"kid": KEY_ID}),
    "no token": lambda issuer: "",
    "no JWT": lambda issuer: "abc",
}


@pytest.mark.parametrize("make", TOKENS.values(), ids=TOKENS.keys())
def test_each_wrong_token_is_refused(issuer: Issuer, make: Callable[[Issuer], str]) -> None:
    with pytest.raises(TokenRefusedError):
        check(make(issuer), trust_of(issuer))


@pytest.mark.parametrize(
    ("claims", "is_accepted"),
    [
        ({}, False),
        ({"client_id": "other", "scope": "invoke"}, False),
        ({"client_id": "hub", "scope": "read"}, False),
        ({"client_id": "hub", "scope": ["invoke"]}, False),
        ({"client_id": "hub", "scope": "read invoke"}, True),
    ],
)
def test_client_and_scope_must_fit_where_they_are_restricted(
    issuer: Issuer, claims: dict[str, Any], is_accepted: bool
) -> None:
    trust = trust_of(issuer, allowedClients=["hub"], allowedScopes=["invoke"])
    token = issuer.token({**issuer.claims(), **claims})
    if is_accepted:
        assert check(token, trust)["client_id"] == "hub"
    else:
        with pytest.raises(TokenRefusedError):
            check(token, trust)


def test_keys_are_fetched_once_and_again_for_a_new_key_id(issuer: Issuer) -> None:
    async def check_three() -> list[int]:
        keys, fetches = IssuerKeys(), []
        for key_id in (KEY_ID, KEY_ID, "rotated"):
            if key_id == "rotated":
                issuer.key_ids.append("rotated")
            await verify_bearer(issuer.token(key_id=key_id), trust_of(issuer), keys)
            fetches.append(keys.fetches)
        return fetches

    try:
        assert asyncio.run(check_three()) == [1, 1, 2]
    finally:
        issuer.key_ids.remove("rotated")


def test_many_at_once_fetch_the_keys_once(issuer: Issuer) -> None:
    async def check_many() -> int:
        keys = IssuerKeys()
        await asyncio.gather(*(verify_bearer(issuer.token(), trust_of(issuer), keys) for _ in range(20)))
        return keys.fetches

    assert asyncio.run(check_many()) == 1


def test_an_issuer_that_does_not_answer_is_a_refusal(issuer: Issuer) -> None:
    trust = JwtTrust("http://127.0.0.1:1/.well-known/openid-configuration", (AUDIENCE,), (), ())
    with pytest.raises(TokenRefusedError, match="could not be read"):
        check(issuer.token(), trust)
