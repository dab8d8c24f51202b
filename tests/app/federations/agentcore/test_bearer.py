"""Bearer tokens for one runtime, for five minutes, and never for the audience of another account."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import jwt
import pytest
from jwt.types import Options

from federations.providers.agentcore.bearer import BearerKey, TokenRefusedError, issuer_of, mint
from federations.sync.resources import RuntimeAccess

NOW = datetime(2026, 3, 26, 7, 20, tzinfo=UTC)
ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/demo"
ACCESS = RuntimeAccess("jwt", "https://hub.example:8443/.well-known/openid-configuration", ("first", "second"))


def claims_of(access: RuntimeAccess, key: BearerKey, foreign_audiences: Collection[str] = ()) -> dict[str, object]:
    token = mint(access, ARN, key=key, now=NOW, token_id="id-1", foreign_audiences=foreign_audiences)
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    options: Options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    return jwt.decode(token, key.private_key.public_key(), algorithms=["RS256"], options=options)


def test_the_claims_are_those_of_the_runtime(bearer_key: BearerKey) -> None:
    access = replace(ACCESS, allowed_clients=("c1", "c2"), allowed_scopes=("s1", "s2"))
    issued = int(NOW.timestamp())
    assert claims_of(access, bearer_key) == {
        "iss": "https://hub.example:8443",
        "sub": "fedhub",
        "aud": "first",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 300,
        "jti": "id-1",
        "token_use": "agentcore_runtime",
        "runtime_arn": ARN,
        "client_id": "c1",
        "scope": "s1 s2",
    }


def test_a_token_has_no_client_or_scope_without_allowed_ones(bearer_key: BearerKey) -> None:
    assert not {"client_id", "scope"} & claims_of(ACCESS, bearer_key).keys()


def test_without_audiences_the_token_is_for_the_runtime_alone(bearer_key: BearerKey) -> None:
    assert claims_of(replace(ACCESS, audiences=()), bearer_key)["aud"] == ARN


def test_a_foreign_audience_is_passed_over(bearer_key: BearerKey) -> None:
    assert claims_of(ACCESS, bearer_key, foreign_audiences={"first"})["aud"] == "second"


def test_only_foreign_audiences_are_refused(bearer_key: BearerKey) -> None:
    with pytest.raises(TokenRefusedError, match="belongs to the hub or to a runtime of another account"):
        mint(ACCESS, ARN, key=bearer_key, now=NOW, token_id="x", foreign_audiences={"first", "second"})


@pytest.mark.parametrize("url", ["", "ftp://issuer", "issuer.example/x", "https://"])
def test_a_discovery_url_that_names_no_issuer_is_refused(url: str) -> None:
    with pytest.raises(TokenRefusedError, match="discoveryUrl"):
        issuer_of(url)


def test_the_issuer_has_no_user_in_it() -> None:
    assert issuer_of("https://user:pw@issuer.example/a/b?c") == "https://issuer.example"


def test_the_private_key_is_not_shown(bearer_key: BearerKey) -> None:
    assert "private_key" not in repr(bearer_key)
