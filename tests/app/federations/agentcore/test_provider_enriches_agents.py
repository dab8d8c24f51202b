"""Enrichment of A2A agents, and of runtimes with a JWT authorizer, over HTTP."""

from __future__ import annotations

import json

import jwt
import pytest

from federations.providers.agentcore.bearer import BearerKey
from federations.sync.resources import EnrichedAgent, EnrichedMcpServer, FailedRuntime, Finding, ResourceKind
from tests.app.federations.agentcore.aws_server import (
    Answer,
    AwsServer,
    Message,
    aws_error,
    described,
    json_answer,
    runtime_arn,
)
from tests.app.federations.agentcore.conftest import Discover
from tests.app.federations.agentcore.mcp_replies import mcp_server
from tests.pure.agentcore.cards import CARD_1_0, SNAKE_0_3, SNAKE_1_0
from tests.pure.agentcore.test_agent_card import CARD

HUB = "https://hub.example"


def jwt_runtime(name: str, *audiences: str, protocol: str = "A2A", url: str = HUB) -> Message:
    block = {"discoveryUrl": f"{url}/.well-known/openid-configuration", "allowedAudience": list(audiences)}
    return described(name, protocol, authorizerConfiguration={"customJWTAuthorizer": block})


def failure(findings: list[Finding]) -> FailedRuntime:
    (finding,) = findings
    assert isinstance(finding, FailedRuntime)
    return finding


def test_an_agent_costs_one_signed_request(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", json_answer(CARD))
    (finding,) = discover()
    assert isinstance(finding, EnrichedAgent)
    assert finding.card.raw == CARD
    assert finding.card.url.endswith("/invocations?qualifier=DEFAULT")
    (sent,) = aws.invocations()
    assert sent.target.endswith("/invocations/.well-known/agent-card.json?qualifier=DEFAULT")
    assert "Credential=ASIAROLE1/" in sent.headers["authorization"]


def test_a_forbidden_card_reads_as_the_contract_says(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("pharmacy_fraud_a2a", "A2A"))
    aws.on_card("pharmacy_fraud_a2a", aws_error(403, "AccessDeniedException", "Forbidden"))
    failed = failure(discover())
    assert failed.kind is ResourceKind.A2A_AGENT
    assert failed.message == "A2A agent pharmacy_fraud_a2a: enrichment failed: 403 Forbidden"
    assert (failed.version, failed.last_updated_at is not None) == ("1", True)


def test_an_invalid_card_is_that_agents_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", json_answer({}))
    assert failure(discover()).error == "enrichment failed: the agent card has no name"


def test_a_card_of_more_than_4_mb_is_that_agents_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", json_answer({**CARD, "padding": "x" * (4 * 1024 * 1024)}))
    assert failure(discover()).error == "enrichment failed: the answer is larger than 4194304 bytes"


def test_a_jwt_runtime_gets_a_token_and_no_signature(aws: AwsServer, discover: Discover, bearer_key: BearerKey) -> None:
    aws.serve_runtimes(jwt_runtime("claims", "claims-audience", protocol="MCP"))
    aws.on_invocation("claims", mcp_server())
    (finding,) = discover()
    assert isinstance(finding, EnrichedMcpServer)
    assert finding.access.audiences == ("claims-audience",)
    tokens = {sent.headers["authorization"].removeprefix("Bearer ") for sent in aws.invocations()}
    (token,) = tokens
    claims = jwt.decode(token, bearer_key.private_key.public_key(), ["RS256"], audience="claims-audience", issuer=HUB)
    assert claims["runtime_arn"] == runtime_arn("claims")
    assert not any("x-amz-security-token" in sent.headers for sent in aws.invocations())


@pytest.mark.parametrize("audience", ["other-account", HUB])
def test_no_token_is_minted_for_a_foreign_audience(aws: AwsServer, discover: Discover, audience: str) -> None:
    aws.serve_runtimes(jwt_runtime("claims", audience))
    failed = failure(discover(audience_accounts=lambda: {"other-account": frozenset({"999999999999"})}))
    assert failed.error.startswith("enrichment failed: its audience belongs to the hub or")
    assert not aws.invocations()


def test_the_accounts_of_audiences_are_not_asked_for_without_a_token_to_mint(
    aws: AwsServer, discover: Discover
) -> None:
    def refuse() -> dict[str, frozenset[str]]:
        raise AssertionError("asked for")

    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", json_answer(CARD))
    (finding,) = discover(audience_accounts=refuse)
    assert isinstance(finding, EnrichedAgent)


def test_an_authorizer_without_an_issuer_is_that_runtimes_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(jwt_runtime("claims", "a", url="nowhere"))
    assert failure(discover()).error == "enrichment failed: the authorizer's discoveryUrl is not an http(s) URL"


def test_a_refused_token_is_explained(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(jwt_runtime("claims", "a"))
    aws.on_card("claims", json_answer({"message": "OAuth authorization failed: wrong audience"}, 401))
    expected = "enrichment failed: 401 Unauthorized: OAuth authorization failed: wrong audience"
    assert failure(discover()).error == expected


def test_an_unreachable_data_plane_is_each_runtimes_error(
    aws: AwsServer, discover: Discover, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", "http://127.0.0.1:1")
    assert failure(discover()).error.startswith("enrichment failed: ConnectError")


# Cards that are kept in part ----------------------------------------------------------------------------------------
TWO_FLOWS: Message = {
    "name": "N", "description": "d", "version": "1", "protocolVersion": "0.3.0", "url": "https://agents.example.com/a2a",
    "capabilities": {}, "defaultInputModes": ["text"], "defaultOutputModes": ["text"], "skills": [],
    "securitySchemes": {"o": {"type": "oauth2", "flows": {
        "authorizationCode": {"authorizationUrl": "https://a.example", "tokenUrl": "https://t.example", "scopes": {}},
        "clientCredentials": {"tokenUrl": "https://t.example", "scopes": {}}}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("card", "kinds"),
    [
        (TWO_FLOWS, []),
        ({**CARD, "capabilities": {"streaming": "true"}}, ["card"]),
        ({**CARD, "defaultInputModes": "text"}, ["card"]),
        ({**CARD, "securitySchemes": []}, ["card"]),
        ({**CARD, "protocolVersion": 0.3}, ["card"]),
        ({**CARD, "version": 3}, []),
        (CARD_1_0, ["card"]),
        (SNAKE_1_0, ["card"]),
        (SNAKE_0_3, []),
        ({**CARD, "skills": [{"id": "s"}]}, ["skill"]),
        ({**CARD, "skills": [{"id": "s", "name": "S", "tags": ["a", None]}]}, ["card"]),
        ({**CARD, "extra": 2**64}, []),
    ],
)
def test_a_card_is_kept_as_served(aws: AwsServer, discover: Discover, card: Message, kinds: list[str]) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    aws.on_card("fraud", json_answer(card))
    (finding,) = discover()
    assert isinstance(finding, EnrichedAgent)
    assert (finding.card.raw, finding.card.name) == (card, card["name"])
    assert [warning.kind for warning in finding.card.warnings] == kinds
    assert {warning.runtime_id for warning in finding.card.warnings} <= {finding.runtime.runtime_id}


@pytest.mark.parametrize(
    ("allowed", "card", "is_warned"),
    [
        (None, CARD_1_0, True),
        (["X-Other"], CARD_1_0, True),
        (["a2a-Version"], CARD_1_0, False),
        (None, {**CARD_1_0, "url": "https://agent.example"}, False),
        (None, CARD, False),
    ],
)
def test_an_agent_that_cannot_get_its_version_has_a_warning(
    aws: AwsServer, discover: Discover, allowed: list[str] | None, card: Message, is_warned: bool
) -> None:
    configuration = {"requestHeaderAllowlist": allowed} if allowed else None
    aws.serve_runtimes(described("fraud", "A2A", requestHeaderConfiguration=configuration))
    aws.on_card("fraud", json_answer(card))
    (finding,) = discover()
    assert isinstance(finding, EnrichedAgent)
    assert ["A2A-Version" in warning.message for warning in finding.card.warnings] == ([True] if is_warned else [])


@pytest.mark.parametrize(
    ("literal", "stored"),
    [('"cut off \\ud83d"', "cut off \ufffd"), ('"a\\u0000b"', "ab"), ("18446744073709551615", 2**64 - 1)],
)
def test_a_value_that_a_database_does_not_hold_is_mended(
    aws: AwsServer, discover: Discover, literal: str, stored: object
) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    body = json.dumps({**CARD, "extra": "HERE"}).replace('"HERE"', literal)
    aws.on_card("fraud", Answer(200, (body.encode(),)))
    (finding,) = discover()
    assert isinstance(finding, EnrichedAgent)
    assert finding.card.raw["extra"] == stored


def test_a_number_that_is_not_json_costs_its_skill_alone(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("fraud", "A2A"))
    skills = [{"id": "bad", "name": "Bad", "weight": float("nan")}, {"id": "good", "name": "Good"}]
    aws.on_card("fraud", Answer(200, (json.dumps({**CARD, "skills": skills}).encode(),)))
    (finding,) = discover()
    assert isinstance(finding, EnrichedAgent)
    assert [skill["id"] for skill in finding.card.skills] == ["good"]
    assert [warning.name for warning in finding.card.warnings] == ["Bad"]
