"""The forms of access and of errors in the API contract."""

import pytest

from federations.sync.resources import JsonObject, ResourceKind, RuntimeAccess
from tests.pure.sync.values import A2A, IAM, JWT, MCP, failed

ISSUER = "https://issuer.example.com"


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        pytest.param(IAM, {"mode": "iam"}, id="iam says no more"),
        pytest.param(
            RuntimeAccess("jwt", ISSUER, ("jarvis-services",)),
            {"mode": "jwt", "jwt": {"discoveryUrl": ISSUER, "audiences": ["jarvis-services"]}},
            id="jwt names its issuer and audiences",
        ),
        pytest.param(
            RuntimeAccess("jwt", ISSUER, (), ("client",), ("read", "write")),
            {
                "mode": "jwt",
                "jwt": {
                    "discoveryUrl": ISSUER,
                    "audiences": [],
                    "allowedClients": ["client"],
                    "allowedScopes": ["read", "write"],
                },
            },
            id="clients and scopes only where the authorizer has them",
        ),
        pytest.param(
            RuntimeAccess("iam", ISSUER, ("left over",)),
            {"mode": "iam"},
            id="iam hides what is left of a jwt authorizer",
        ),
    ],
)
def test_runtime_access_has_the_shape_of_the_contract(access: RuntimeAccess, expected: JsonObject) -> None:
    assert access.to_dict() == expected


def test_two_ways_of_access_differ_in_their_shape() -> None:
    assert IAM.to_dict() != JWT.to_dict()


@pytest.mark.parametrize(
    ("kind", "name", "error", "message"),
    [
        (MCP, "invoices", "enrichment failed: timed out", "MCP server invoices: enrichment failed: timed out"),
        (
            A2A,
            "pharmacy_fraud_a2a",
            "enrichment failed: 403 Forbidden",
            "A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden",
        ),
        (None, "ledger", "ResourceNotFoundException", "Runtime ledger: ResourceNotFoundException"),
    ],
)
def test_an_error_message_names_the_kind_and_the_runtime(
    kind: ResourceKind | None, name: str, error: str, message: str
) -> None:
    assert failed(name, kind=kind, error=error).message == message
