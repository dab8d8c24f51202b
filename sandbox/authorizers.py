"""The `authorizerConfiguration` values of runtimes that take bearer tokens, in the form of the control API."""

from __future__ import annotations

from collections.abc import Sequence

from core.strict_json import JsonObject

AUDIENCE = "fedhub-runtimes"


def jwt_authorizer(
    issuer_url: str,
    *,
    scopes: Sequence[str] = (),
    custom_claims: Sequence[JsonObject] = (),
    private_endpoint: JsonObject | None = None,
) -> JsonObject:
    """Return a `customJWTAuthorizer` that trusts the OIDC issuer at `issuer_url`, with the parts that are given.

    `scopes` becomes `allowedScopes`. `private_endpoint` is the endpoint over which AWS reaches an issuer in a VPC; the
    sandbox stores it and reads the issuer's keys over the loopback address all the same.
    """
    block: JsonObject = {
        "discoveryUrl": f"{issuer_url.rstrip('/')}/.well-known/openid-configuration",
        "allowedAudience": [AUDIENCE],
    }
    if scopes:
        block["allowedScopes"] = [*scopes]
    if custom_claims:
        block["customClaims"] = [*custom_claims]
    if private_endpoint is not None:
        block["privateEndpoint"] = private_endpoint
    return {"customJWTAuthorizer": block}


def claim_equals(name: str, value: str) -> JsonObject:
    """Return an entry of `customClaims` that accepts tokens whose claim `name` is the text `value`."""
    return _custom_claim(name, "STRING", "EQUALS", {"matchValueString": value})


def claim_contains(name: str, *values: str) -> JsonObject:
    """Return an entry of `customClaims` that accepts tokens whose claim `name` lists one of `values`."""
    if len(values) == 1:
        return _custom_claim(name, "STRING_ARRAY", "CONTAINS", {"matchValueString": values[0]})
    return _custom_claim(name, "STRING_ARRAY", "CONTAINS_ANY", {"matchValueStringList": [*values]})


def _custom_claim(name: str, value_type: str, operator: str, value: JsonObject) -> JsonObject:
    return {
        "inboundTokenClaimName": name,
        "inboundTokenClaimValueType": value_type,
        "authorizingClaimMatchValue": {"claimMatchValue": value, "claimMatchOperator": operator},
    }


def lattice_endpoint(resource_configuration: str = "rcfg-0123456789abcdef0") -> JsonObject:
    """Return a `privateEndpoint` that names a resource configuration of VPC Lattice."""
    return {"selfManagedLatticeResource": {"resourceConfigurationIdentifier": resource_configuration}}
