from __future__ import annotations

import pytest

from federations.admin.aws_facts import describe_authorizer, describe_protocol
from federations.sync.resources import Json, JsonObject

VPC: JsonObject = {
    "managedVpcResource": {
        "vpcIdentifier": "vpc-1",
        "subnetIds": ["subnet-1", "subnet-2"],
        "securityGroupIds": ["sg-1"],
        "endpointIpAddressType": "IPV4",
        "routingDomain": "idp.internal",
    }
}
LATTICE: JsonObject = {"selfManagedLatticeResource": {"resourceConfigurationIdentifier": "rcfg-1"}}


def claim(operator: str, **value: Json) -> JsonObject:
    return {
        "inboundTokenClaimName": "department",
        "inboundTokenClaimValueType": "STRING",
        "authorizingClaimMatchValue": {"claimMatchValue": value, "claimMatchOperator": operator},
    }


@pytest.mark.parametrize(
    ("configuration", "lines"),
    [
        ({}, ["not set"]),
        ({"serverProtocol": "MCP"}, ["MCP"]),
        ({"serverProtocol": "A2A", "port": 9000, "path": "/a2a"}, ["A2A", "Port: 9000", "Path: /a2a"]),
        ({"serverProtocol": 7, "port": None, "path": ""}, ["7"]),
    ],
)
def test_the_protocol_is_described_with_its_port_and_path(configuration: JsonObject, lines: list[str]) -> None:
    assert describe_protocol(configuration) == lines


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ({"allowedScopes": ["a:read", "a:write"]}, "Allowed scopes: a:read, a:write"),
        ({"allowedClients": ["portal"]}, "Allowed clients: portal"),
        (
            {"customClaims": [claim("EQUALS", matchValueString="finance")]},
            "Required claim: department equals finance",
        ),
        (
            {"customClaims": [claim("CONTAINS_ANY", matchValueStringList=["finance", "audit"])]},
            "Required claim: department contains any of finance, audit",
        ),
        ({"customClaims": [claim("NEW", matchValueString="x")]}, "Required claim: department NEW x"),
        (
            {"privateEndpoint": VPC},
            "Private endpoint of the issuer: VPC vpc-1, subnets subnet-1, subnet-2, security groups sg-1, "
            "routing domain idp.internal",
        ),
        ({"privateEndpoint": LATTICE}, "Private endpoint of the issuer: VPC Lattice resource rcfg-1"),
        ({"privateEndpoint": {"other": {}}}, "Private endpoint of the issuer: set"),
        (
            {"privateEndpointOverrides": [{"domain": "keys.internal", "privateEndpoint": LATTICE}]},
            "Private endpoint of keys.internal: VPC Lattice resource rcfg-1",
        ),
    ],
)
def test_an_authorizer_is_described_by_its_facts(block: JsonObject, line: str) -> None:
    assert describe_authorizer({"customJWTAuthorizer": block}) == ["customJWTAuthorizer", line]


@pytest.mark.parametrize("value", [None, 7, "x", [], ["x"], [7], {}, {"x": 1}])
@pytest.mark.parametrize(
    "key", ["allowedScopes", "customClaims", "privateEndpoint", "privateEndpointOverrides", "allowedClients"]
)
def test_any_json_in_an_authorizer_is_described(key: str, value: Json) -> None:
    described = describe_authorizer({"customJWTAuthorizer": {key: value}, "authorizerType": "JWT"})
    assert described[0] == "customJWTAuthorizer, authorizerType"


def test_an_empty_authorizer_is_none() -> None:
    assert describe_authorizer({}) == ["none"]
