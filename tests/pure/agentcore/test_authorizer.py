"""Auth inference: one row for each case of the first-match table."""

from __future__ import annotations

import pytest

from federations.providers.agentcore.authorizer import infer_access
from federations.sync.resources import JsonObject, RuntimeAccess

URL = "https://issuer.example/.well-known/openid-configuration"
IAM = RuntimeAccess(mode="iam")
BLOCKS = ("customJWTAuthorizer", "customJWTAuthorizerConfiguration", "jwtAuthorizerConfiguration")


def jwt(*audiences: str, url: str = URL) -> RuntimeAccess:
    return RuntimeAccess(mode="jwt", discovery_url=url, audiences=audiences)


@pytest.mark.parametrize(
    ("authorizer", "access"),
    [
        ({}, IAM),
        ({"authorizerType": "AWS_IAM"}, IAM),
        ({"type": 5}, IAM),
        ({"somethingElse": {"discoveryUrl": URL}}, IAM),
        ({"customJWTAuthorizer": None}, IAM),
        ({"customJWTAuthorizer": "yes"}, IAM),
        ({"customJWTAuthorizer": {"discoveryUrl": "", "allowedAudience": []}}, IAM),
        ({"authorizerType": "JWT", "discoveryUrl": URL, "allowedAudience": ["a"]}, jwt("a")),
        ({"authorizerType": "oauth", "discoveryUrl": URL}, jwt()),
        ({"type": "JWT", "discoveryUrl": URL}, jwt()),
        ({"type": "OAUTH"}, jwt(url="")),
        ({"type": "JWT", "customJWTAuthorizer": {}}, jwt(url="")),
        ({"type": "JWT", "customJWTAuthorizer": {"discoveryUrl": URL, "audiences": "a"}}, jwt("a")),
        ({"authorizerType": "AWS_IAM", "customJWTAuthorizer": {"discoveryUrl": URL}}, jwt()),
        ({"customJWTAuthorizer": {}, "jwtAuthorizerConfiguration": {"discoveryUrl": URL}}, jwt()),
        ({"customJWTAuthorizer": {"discoveryUrl": URL, "allowedAudience": "one"}}, jwt("one")),
        ({"customJWTAuthorizer": {"discoveryUrl": URL, "audiences": ["b", 5, "", "c"]}}, jwt("b", "c")),
        ({"customJWTAuthorizer": {"discoveryUrl": URL, "allowedAudience": ["a"], "audiences": ["b"]}}, jwt("a")),
        ({"customJWTAuthorizer": {"discoveryUrl": 5, "allowedAudience": ["a"]}}, jwt("a", url="")),
        *[({name: {}}, IAM) for name in BLOCKS],
        *[({name: {"discoveryUrl": URL, "allowedAudience": ["a"]}}, jwt("a")) for name in BLOCKS],
    ],
)
def test_the_first_matching_rule_decides(authorizer: JsonObject, access: RuntimeAccess) -> None:
    assert infer_access(authorizer) == access


def test_allowed_clients_and_scopes_are_kept() -> None:
    block: JsonObject = {"discoveryUrl": URL, "allowedClients": ["c1"], "allowedScopes": ["s1", "s2"]}
    access = infer_access({"customJWTAuthorizer": block})
    assert (access.allowed_clients, access.allowed_scopes) == (("c1",), ("s1", "s2"))
