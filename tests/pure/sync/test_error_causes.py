"""How errors are grouped by cause: own decisions, over texts of botocore, of httpx and of the hub's own refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.sync.error_causes import MAX_TITLE, UNKNOWN, FailureSeen, cause_of, group_by_cause

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DENIED = (
    "Failed to list AgentCore runtimes in {region}: An error occurred (AccessDenied) when calling the AssumeRole "
    "operation: User: arn:aws:sts::{account}:assumed-role/hub/i-0abc is not authorized to perform: sts:AssumeRole on "
    "resource: arn:aws:iam::{account}:role/fedhub-discovery"
)


def denied(region: str, account: str) -> str:
    return DENIED.format(region=region, account=account)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (denied("us-east-1", "123456789012"), "AccessDenied sts:AssumeRole"),
        (
            "An error occurred (500) when calling the ListAgentRuntimes operation (reached max retries: 8): Internal",
            "500 ListAgentRuntimes",
        ),
        ("enrichment failed: 403 Forbidden", "enrichment failed: 403 Forbidden"),
        ("A2A agent kyc-0: enrichment failed: HTTP 404", "enrichment failed: HTTP 404"),
        (
            "5 resource sync failures. First error: MCP server ledger: no answer within 30 seconds",
            "no answer within … seconds",
        ),
        ("the answer is empty (HTTP status 204)", "the answer is empty (HTTP status 204)"),
        ("no answer within 12.5 seconds", "no answer within … seconds"),
        ("no answer within 500 seconds", "no answer within … seconds"),
        ("no answer within 30s", "no answer within …s"),
        ("Connection to 10.0.3.17:8443 refused", "Connection to … refused"),
        ("Connection to [2001:db8::7]:443 refused", "Connection to … refused"),
        ("cannot reach runtime.example.com:443", "cannot reach …"),
        ('Could not connect to the endpoint URL: "https://sts.us-esat-1.amazonaws.com/"', None),
        ("Failed to list AgentCore runtimes in ap-southeast-2: timed out", None),
        ("request 7f3c1d2e-8a4b-4c1d-9e2f-000000000000 was lost", "request … was lost"),
        ("runtime_arn arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/a_b-0123456789 is gone", None),
        ("the server refuses MCP 2025-11-25 and then 2026-07-28: no", "the server refuses MCP … and then …: no"),
        ("Mail ops@example.org about OAuth2 and IPv6", "Mail … about OAuth2 and IPv6"),
        ("", UNKNOWN),
        (" : ", UNKNOWN),
    ],
)
def test_a_cause_has_no_part_that_names_one_case(text: str, cause: str | None) -> None:
    found = cause_of(text)

    if cause is not None:
        assert found == cause
    for particular in ("us-esat", "ap-southeast", "123456789012", "https:", "arn:", "0123456789"):
        assert particular not in found


def test_errors_of_one_cause_are_one_group_with_its_federations_and_its_first_time() -> None:
    failures = [
        FailureSeen("f-2", "no answer within 30 seconds", NOW - timedelta(hours=2)),
        FailureSeen("f-1", denied("us-east-1", "123456789012"), NOW - timedelta(hours=1)),
        FailureSeen("f-3", denied("eu-west-1", "999999999999"), NOW - timedelta(hours=18)),
        FailureSeen("f-3", denied("eu-west-1", "999999999999"), NOW),
    ]

    first, second = group_by_cause(failures)

    assert (first.title, first.federation_ids, first.failures) == ("AccessDenied sts:AssumeRole", ("f-1", "f-3"), 3)
    assert (first.since, second.federation_ids) == (NOW - timedelta(hours=18), ("f-2",))
    assert first.key != second.key


def test_causes_come_with_the_most_federations_first_and_then_the_oldest() -> None:
    one, two = ("timed out", "refused")
    failures = [
        FailureSeen("f-1", one, NOW),
        FailureSeen("f-2", two, NOW - timedelta(days=1)),
        FailureSeen("f-3", "gone", NOW),
        FailureSeen("f-4", "gone", NOW),
    ]

    assert [cause.title for cause in group_by_cause(failures)] == ["gone", two, one]


def test_causes_that_differ_only_after_the_end_of_the_title_stay_apart() -> None:
    long = "word " * 40
    first, second = group_by_cause([FailureSeen("f-1", f"{long}a", NOW), FailureSeen("f-1", f"{long}b", NOW)])

    assert first.title == second.title and len(first.title) <= MAX_TITLE
    assert first.key != second.key


@given(st.text(max_size=300))
def test_any_text_has_a_cause_which_is_its_own_cause(text: str) -> None:
    found = cause_of(text)

    assert found
    assert cause_of(found) == found
