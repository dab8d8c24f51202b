"""Discovery on the control plane: listing, descriptions, tags, credentials."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from core.counts import take_all
from federations.providers.agentcore.bearer import BearerKey
from federations.providers.agentcore.provider import AgentCoreProvider
from federations.providers.base import DiscoveryRequest, InvalidProviderConfigError, Progress, ProviderError
from federations.sync.resources import (
    EnrichedMcpServer,
    FailedRuntime,
    Observation,
    ResourceKind,
    UnchangedRuntime,
    UnsupportedRuntime,
)
from tests.app.federations.agentcore.aws_server import (
    Answer,
    AwsServer,
    Sent,
    assumed,
    aws_error,
    described,
    json_answer,
    listed,
    runtime_arn,
    runtime_id,
)
from tests.app.federations.agentcore.conftest import CONFIG, ROLE, Discover
from tests.app.federations.agentcore.mcp_replies import mcp_server

UPDATED = datetime(2026, 3, 26, 7, 20, 0, 123456, tzinfo=UTC)


def seen(name: str, version: str = "1", updated: datetime = UPDATED) -> dict[str, Observation]:
    return {runtime_id(name): Observation(runtime_id(name), version, updated, ResourceKind.MCP_SERVER)}


def serve_pages(aws: AwsServer, second: Answer) -> None:
    first = json_answer({"agentRuntimes": [listed("one")], "nextToken": "more"})
    aws.routes["POST", "/runtimes/"] = lambda sent: second if "nextToken=more" in sent.target else first


def test_a_role_is_assumed_with_the_external_id_once_for_the_whole_run(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a", "b")
    for name in ("a", "b"):
        aws.on_invocation(name, mcp_server())
    assert len(discover()) == 2
    (assume,) = aws.requests("POST", "/")
    body = assume.body.decode()
    for part in (
        "Action=AssumeRole",
        "ExternalId=ext-1",
        "RoleSessionName=agentcore-federation-us-east-1",
        "role%2Fdemo",
    ):
        assert part in body
    assert "AKIAHUB" in assume.headers["authorization"]
    others = [sent for sent in aws.sent if sent is not assume]
    assert all("ASIAROLE1" in sent.headers["authorization"] for sent in others)


def test_calls_are_counted_and_the_clock_is_compared_with_the_cloud_s(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    aws.on_invocation("a", mcp_server())
    take_all()
    discover()
    added, latest = take_all()
    assert added["fedhub_aws_requests_total", ("2xx",)] == len(
        [sent for sent in aws.sent if "/invocations" not in sent.target]
    )
    assert abs(latest["fedhub_cloud_clock_skew_seconds"]) < 10


def test_without_a_role_the_hubs_own_credentials_are_used(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    aws.on_invocation("a", mcp_server())
    (finding,) = discover({"region": "us-east-1"})
    assert isinstance(finding, EnrichedMcpServer)
    assert all("AKIAHUB" in sent.headers["authorization"] for sent in aws.sent)
    assert not aws.requests("POST", "/")


def test_every_page_is_listed_and_an_id_on_two_pages_counts_once(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("one", None), described("two", None))
    serve_pages(aws, json_answer({"agentRuntimes": [listed("one"), listed("two")]}))
    assert [type(finding) for finding in discover()] == [UnsupportedRuntime, UnsupportedRuntime]
    pages = aws.requests("POST", "/runtimes/")
    assert ["maxResults=100" in sent.target for sent in pages] == [True, True]


def test_a_failure_on_the_second_page_fails_the_discovery(aws: AwsServer, discover: Discover) -> None:
    serve_pages(aws, aws_error(403, "AccessDeniedException", "not you"))
    with pytest.raises(ProviderError, match=r"^Failed to list AgentCore runtimes in us-east-1: .*not you$"):
        discover()


def test_a_token_that_comes_twice_fails_the_discovery(aws: AwsServer, discover: Discover) -> None:
    aws.routes["POST", "/runtimes/"] = json_answer({"agentRuntimes": [listed("one")], "nextToken": "same"})
    with pytest.raises(ProviderError, match="Failed to list AgentCore runtimes in us-east-1: "):
        discover()


PAGE_OF_A_PROXY = Answer(200, (b"<html><body>Sign in</body></html>",), "text/html")


@pytest.mark.parametrize(
    "listing",
    [
        PAGE_OF_A_PROXY,
        json_answer({"agentRuntimes": [{"agentRuntimeId": "one"}]}),
        json_answer({"agentRuntimes": [listed("one", updated="soon")]}),
    ],
    ids=["html", "fields missing", "no time"],
)
def test_a_listing_that_cannot_be_read_fails_the_discovery(aws: AwsServer, discover: Discover, listing: Answer) -> None:
    aws.routes["POST", "/runtimes/"] = listing
    with pytest.raises(ProviderError, match=r"Failed to list AgentCore runtimes in us-east-1: .*cannot be read"):
        discover()


def test_a_role_s_credentials_that_cannot_be_read_fail_the_discovery(aws: AwsServer, discover: Discover) -> None:
    aws.routes["POST", "/"] = PAGE_OF_A_PROXY
    with pytest.raises(ProviderError, match=r"Failed to list AgentCore runtimes in us-east-1: .*cannot be read"):
        discover()


@pytest.mark.parametrize("answer", [PAGE_OF_A_PROXY, json_answer({"agentRuntimeId": "a"})], ids=["html", "no fields"])
def test_a_runtime_whose_description_cannot_be_read_is_one_error(
    aws: AwsServer, discover: Discover, answer: Answer
) -> None:
    aws.serve_runtimes("a", described("b", None))
    aws.routes["GET", f"/runtimes/{runtime_id('a')}/"] = answer
    failed, other = discover()
    assert isinstance(failed, FailedRuntime)
    assert "cannot be read" in failed.error
    assert isinstance(other, UnsupportedRuntime)


def test_a_role_that_cannot_be_assumed_fails_the_discovery(aws: AwsServer, discover: Discover) -> None:
    aws.routes["POST", "/"] = Answer(
        403,
        (b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no trust</Message></Error></ErrorResponse>",),
        "text/xml",
    )
    with pytest.raises(ProviderError, match=r"Failed to list AgentCore runtimes in us-east-1: .*AssumeRole.*no trust"):
        discover()


def test_no_credentials_at_all_fail_the_discovery(
    aws: AwsServer, discover: Discover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for config in (CONFIG, {"region": "us-east-1"}):
        with pytest.raises(ProviderError, match="Unable to locate credentials"):
            discover(config)


def test_expired_credentials_are_renewed_once_and_the_listing_repeated(aws: AwsServer, discover: Discover) -> None:
    expired = aws_error(403, "ExpiredTokenException", "The security token included in the request is expired")
    aws.routes["POST", "/"] = [assumed(1), assumed(2)]
    aws.serve_runtimes(described("a", None))
    good = aws.routes["POST", "/runtimes/"]
    assert isinstance(good, Answer)
    aws.routes["POST", "/runtimes/"] = lambda sent: good if "ASIAROLE2" in sent.headers["authorization"] else expired
    assert len(discover()) == 1
    assert len(aws.requests("POST", "/")) == 2


def test_credentials_that_stay_expired_fail_the_discovery(aws: AwsServer, discover: Discover) -> None:
    aws.routes["POST", "/runtimes/"] = aws_error(403, "ExpiredTokenException", "Token has expired")
    with pytest.raises(ProviderError, match="Token has expired"):
        discover()
    assert len(aws.requests("POST", "/")) == 2


def test_credentials_about_to_end_are_fetched_anew(aws: AwsServer, discover: Discover) -> None:
    soon = datetime.now(UTC).replace(microsecond=0).isoformat()
    aws.routes["POST", "/"] = [assumed(1, soon), assumed(2)]
    aws.serve_runtimes(described("a", None))
    assert len(discover()) == 1
    assert len(aws.requests("POST", "/")) == 2


def test_throttling_is_tried_again(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("a", None))
    good = aws.routes["POST", "/runtimes/"]
    assert isinstance(good, Answer)
    aws.routes["POST", "/runtimes/"] = [aws_error(429, "ThrottlingException", "Rate exceeded"), good]
    assert len(discover()) == 1
    assert len(aws.requests("POST", "/runtimes/")) == 2


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_runtime_that_is_gone_or_forbidden_is_one_error_of_unknown_kind(
    aws: AwsServer, discover: Discover, code: str
) -> None:
    aws.serve_runtimes("a", described("b", None))
    aws.routes["GET", f"/runtimes/{runtime_id('a')}/"] = aws_error(404, code, "gone or hidden")
    failed, other = discover()
    assert isinstance(failed, FailedRuntime)
    assert failed.kind is None
    assert failed.message.startswith("Runtime a: ")
    assert "gone or hidden" in failed.error
    assert isinstance(other, UnsupportedRuntime)


def test_a_runtime_that_cannot_be_described_does_not_keep_its_observed_kind(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    aws.routes["GET", f"/runtimes/{runtime_id('a')}/"] = aws_error(404, "ResourceNotFoundException", "gone")
    (failed,) = discover(observations=seen("a", "0"))
    assert isinstance(failed, FailedRuntime)
    assert failed.kind is None


def test_an_unchanged_runtime_costs_no_further_call(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    truncated = UPDATED.replace(microsecond=123000)
    for moment in (UPDATED, truncated):
        (finding,) = discover(observations=seen("a", updated=moment))
        assert isinstance(finding, UnchangedRuntime)
        assert (finding.kind, finding.version) == (ResourceKind.MCP_SERVER, "1")
    assert not [sent for sent in aws.sent if sent.method == "GET" or "invocations" in sent.path]


@pytest.mark.parametrize("last", [seen("a", "2"), seen("a", updated=UPDATED.replace(second=1))])
def test_a_runtime_with_another_version_or_time_is_described_again(
    aws: AwsServer, discover: Discover, last: dict[str, Observation]
) -> None:
    aws.serve_runtimes("a")
    aws.on_invocation("a", mcp_server())
    (finding,) = discover(observations=last)
    assert isinstance(finding, EnrichedMcpServer)


@pytest.mark.parametrize("protocol", ["HTTP", "AGUI", None])
def test_other_protocols_are_unsupported_and_not_called(
    aws: AwsServer, discover: Discover, protocol: str | None
) -> None:
    aws.serve_runtimes(described("a", protocol))
    (finding,) = discover()
    assert isinstance(finding, UnsupportedRuntime)
    assert not aws.invocations()


def test_a_tags_filter_leaves_out_what_does_not_match_in_full(aws: AwsServer, discover: Discover) -> None:
    wanted = {"env": "production", "team": "platform"}
    tags = {"a": {**wanted, "more": "x"}, "b": {"env": "production"}, "c": {"env": "Production", "team": "platform"}}
    aws.serve_runtimes(*(described(name, None) for name in tags))
    for name, pairs in tags.items():
        aws.routes["GET", f"/tags/{runtime_arn(name)}"] = json_answer({"tags": pairs})
    (finding,) = discover({**CONFIG, "resourceTagsFilter": wanted})
    assert isinstance(finding, UnsupportedRuntime)
    assert finding.runtime.name == "a"
    assert finding.runtime.tags == tags["a"]
    assert len(aws.requests("GET", f"/runtimes/{runtime_id('b')}/")) == 0


def test_tags_that_cannot_be_read_are_that_runtimes_error(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a")
    aws.routes["GET", f"/tags/{runtime_arn('a')}"] = aws_error(403, "AccessDeniedException", "no tags for you")
    (failed,) = discover({**CONFIG, "resourceTagsFilter": {"env": "x"}}, observations=seen("a"))
    assert isinstance(failed, FailedRuntime)
    assert failed.kind is None
    assert "no tags for you" in failed.error


def test_without_a_filter_no_tags_are_asked_for(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes(described("a", None))
    discover()
    assert not [sent for sent in aws.sent if sent.path.startswith("/tags/")]


def test_one_runtime_by_its_arn_is_not_listed(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a", "b")
    aws.on_invocation("a", mcp_server())
    (finding,) = discover(runtime_arn=runtime_arn("a"))
    assert isinstance(finding, EnrichedMcpServer)
    assert not aws.requests("POST", "/runtimes/")
    (again,) = discover(runtime_arn=runtime_arn("a"), observations=seen("a"))
    assert isinstance(again, UnchangedRuntime)


def test_one_runtime_that_is_not_there_is_an_error_of_its_own(aws: AwsServer, discover: Discover) -> None:
    (finding,) = discover(runtime_arn=runtime_arn("missing"))
    assert isinstance(finding, FailedRuntime)
    assert finding.runtime_id == runtime_id("missing")


def test_one_runtime_with_invalid_credentials_fails_the_discovery(aws: AwsServer, discover: Discover) -> None:
    aws.routes["GET", f"/runtimes/{runtime_id('a')}/"] = aws_error(403, "UnrecognizedClientException", "bad key")
    with pytest.raises(ProviderError, match="bad key"):
        discover(runtime_arn=runtime_arn("a"))


def test_an_arn_of_another_region_is_refused(discover: Discover) -> None:
    with pytest.raises(InvalidProviderConfigError, match="runtimeArn"):
        discover({"region": "eu-west-1", "assumeRoleArn": ROLE}, runtime_arn=runtime_arn("a"))


def test_progress_is_reported_phase_by_phase(aws: AwsServer, discover: Discover) -> None:
    aws.serve_runtimes("a", "b")
    for name in ("a", "b"):
        aws.on_invocation(name, mcp_server())
    reports: list[Progress] = []
    discover(report=reports.append)
    assert reports[0] == Progress("discovering", 0, 0)
    assert Progress("discovering", 2, 2) in reports
    assert Progress("enriching", 0, 2) in reports
    assert reports[-1] == Progress("enriching", 2, 2)
    assert [report.phase for report in reports] == sorted(report.phase for report in reports)


class StopError(Exception):
    """The error by which a caller stops a discovery."""


def stop_at(phase: str, done: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.phase == phase and progress.done >= done:
            raise StopError

    return report


@pytest.mark.parametrize(
    ("phase", "done"), [("discovering", 0), ("discovering", 1), ("enriching", 0), ("enriching", 1)]
)
def test_a_report_that_raises_stops_the_run_at_once(aws: AwsServer, discover: Discover, phase: str, done: int) -> None:
    aws.serve_runtimes("quick", "stuck")
    aws.on_invocation("quick", mcp_server())
    aws.on_invocation("stuck", Answer(200, (b" ",), hang=True))
    started = datetime.now(UTC)
    with pytest.raises(StopError):
        discover(report=stop_at(phase, done))
    assert (datetime.now(UTC) - started).total_seconds() < 8


def test_at_most_the_set_number_of_calls_is_open_at_once(aws: AwsServer, bearer_key: BearerKey) -> None:
    names = [f"r{number}" for number in range(12)]
    aws.serve_runtimes(*names)
    lock, now, most = threading.Lock(), 0, 0
    serve = mcp_server(session=False)

    def counted(sent: Sent) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return serve(sent)

    for name in names:
        aws.on_invocation(name, counted)
    provider = AgentCoreProvider(["*"], lambda: bearer_key, concurrency=3)
    assert len(provider.discover(DiscoveryRequest(config=CONFIG)).findings) == 12
    assert most == 3
