from __future__ import annotations

import time

import pytest

from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import DiscoveryRequest, ProbedRuntime, ProviderError
from federations.sync.resources import JsonObject, Observation
from tests.app.federations.agentcore.aws_server import (
    Answer,
    AwsServer,
    aws_error,
    described,
    json_answer,
    listed,
    runtime_arn,
    runtime_id,
)
from tests.app.federations.agentcore.conftest import CONFIG, ROLE

STS_REFUSAL = Answer(
    403,
    (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        b"<Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error>"
        b"<RequestId>r</RequestId></ErrorResponse>",
    ),
    "text/xml",
)


def probe(
    bearer_key: BearerKey, config: JsonObject | None = None, *, seconds: float = 10, **wanted: object
) -> tuple[ProbedRuntime, ...]:
    provider = AgentCoreProvider(["*"], lambda: bearer_key)
    request = DiscoveryRequest(config=config or CONFIG, external_id="ext-1", **wanted)  # type: ignore[arg-type]
    return provider.probe(request, seconds=seconds)


def test_a_probe_lists_protocols_and_calls_no_runtime(aws: AwsServer, bearer_key: BearerKey) -> None:
    aws.serve_runtimes(described("triage", "A2A"), described("ledger"), described("web", "HTTP"))

    found = probe(bearer_key)

    assert found == (
        ProbedRuntime(runtime_id("ledger"), "MCP"),
        ProbedRuntime(runtime_id("triage"), "A2A"),
        ProbedRuntime(runtime_id("web"), "HTTP"),
    )
    assert aws.invocations() == []
    assert "ext-1" in aws.sent[0].body.decode()


def test_a_probe_with_a_filter_reads_every_runtimes_tags(aws: AwsServer, bearer_key: BearerKey) -> None:
    aws.serve_runtimes("ledger", "refunds")
    aws.routes["GET", f"/tags/{runtime_arn('ledger')}"] = json_answer({"tags": {"env": "production"}})
    aws.routes["GET", f"/tags/{runtime_arn('refunds')}"] = json_answer({"tags": {}})

    found = probe(bearer_key, {**CONFIG, "resourceTagsFilter": {"env": "production"}})

    assert [runtime.tags for runtime in found] == [{"env": "production"}, {}]


def test_a_runtime_that_was_observed_in_its_version_is_not_described_again(
    aws: AwsServer, bearer_key: BearerKey
) -> None:
    aws.serve_runtimes("ledger", "refunds")
    key = runtime_id("ledger")
    seen = {key: Observation(key, "1", None, None, "MCP"), runtime_id("refunds"): Observation("x", "0", None, None)}

    assert [runtime.protocol for runtime in probe(bearer_key, observations=seen)] == ["MCP", "MCP"]
    assert [sent.path for sent in aws.sent if sent.method == "GET"] == [f"/runtimes/{runtime_id('refunds')}/"]


def test_a_probe_ends_in_its_time_and_leaves_gaps(aws: AwsServer, bearer_key: BearerKey) -> None:
    aws.serve_runtimes("ledger", "slow")

    def stall(sent: object) -> Answer:
        aws.stopped.wait(4)
        return json_answer({})

    aws.routes["GET", f"/runtimes/{runtime_id('slow')}/"] = stall
    started = time.monotonic()

    found = probe(bearer_key, seconds=1.5)

    assert time.monotonic() - started < 3
    assert [runtime.protocol for runtime in found] == ["MCP", None]


def test_a_listing_beyond_the_time_is_a_fault(aws: AwsServer, bearer_key: BearerKey) -> None:
    def page(sent: object) -> Answer:
        return json_answer({"agentRuntimes": [listed("ledger")], "nextToken": str(len(aws.sent))})

    aws.routes["POST", "/runtimes/"] = page

    with pytest.raises(ProviderError, match="took too long") as caught:
        probe(bearer_key, seconds=0.3)

    assert "Dry run" in caught.value.advice


@pytest.mark.parametrize(
    ("route", "answer", "says", "advises"),
    [
        (("POST", "/"), STS_REFUSAL, f"does not let the hub assume the role {ROLE}", "sts:ExternalId"),
        (
            ("POST", "/runtimes/"),
            aws_error(403, "AccessDeniedException", "User: arn is not authorized"),
            "may not list the runtimes of us-east-1",
            "bedrock-agentcore:ListAgentRuntimes",
        ),
        (
            ("GET", f"/runtimes/{runtime_id('ledger')}/"),
            aws_error(403, "AccessDeniedException", "no"),
            "may not describe the runtimes",
            "bedrock-agentcore:GetAgentRuntime",
        ),
        (
            ("GET", f"/tags/{runtime_arn('ledger')}"),
            aws_error(403, "AccessDeniedException", "no"),
            "may not read the tags",
            "bedrock-agentcore:ListTagsForResource",
        ),
        (
            ("POST", "/runtimes/"),
            aws_error(403, "UnrecognizedClientException", "The security token is invalid"),
            "does not accept its credentials in us-east-1",
            "enable the region",
        ),
        (("POST", "/runtimes/"), aws_error(429, "ThrottlingException", "slow"), "fewer calls", "in a minute"),
        (("POST", "/runtimes/"), aws_error(500, "InternalServerException", "broken"), "broken", ""),
        (("POST", "/runtimes/"), Answer(200, (b"<html>proxy</html>",), "text/html"), "cannot be read", ""),
    ],
)
def test_a_fault_is_told_in_plain_words_with_an_advice(
    aws: AwsServer, bearer_key: BearerKey, route: tuple[str, str], answer: Answer, says: str, advises: str
) -> None:
    aws.serve_runtimes("ledger")
    aws.routes["GET", f"/tags/{runtime_arn('ledger')}"] = json_answer({"tags": {}})
    aws.routes[route] = answer

    with pytest.raises(ProviderError) as caught:
        probe(bearer_key, {**CONFIG, "resourceTagsFilter": {"env": "production"}})

    assert says in caught.value.message
    assert advises in caught.value.advice
    assert "secret1" not in caught.value.message + caught.value.advice


def test_a_region_that_cannot_be_reached_and_missing_credentials_have_their_own_words(
    aws: AwsServer, bearer_key: BearerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL", "http://127.0.0.1:1")
    with pytest.raises(ProviderError, match=r"cannot reach 127\.0\.0\.1") as caught:
        probe(bearer_key)
    assert "AWS may have no region us-east-1" in caught.value.advice

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ProviderError, match="has no AWS credentials of its own"):
        probe(bearer_key)


def test_the_known_regions_have_names_for_people(bearer_key: BearerKey) -> None:
    regions = AgentCoreProvider(["*"], lambda: bearer_key).regions()

    assert regions["us-east-1"] == "US East (N. Virginia)"
    assert {"eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"} <= set(regions)
