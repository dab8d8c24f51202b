"""Slugs, paths, and the region and account of an ARN."""

import pytest

from federations.sync.naming import region_and_account, resource_path, slug
from federations.sync.resources import ResourceKind
from tests.pure.sync.values import A2A, MCP


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("invoices", "invoices", id="a plain name is its own slug"),
        pytest.param("Invoice Tools", "invoice-tools", id="lower case, and a space becomes a dash"),
        pytest.param("pharmacy_fraud_a2a", "pharmacy-fraud-a2a", id="an underscore becomes a dash"),
        pytest.param("  padded \t\n", "padded", id="white space around it is trimmed"),
        pytest.param("a  b__c", "a--b--c", id="each space or underscore is one dash"),
        pytest.param("a.b/c%2e?d#e", "abc2ede", id="other characters are dropped"),
        pytest.param("../../etc/passwd", "etcpasswd", id="a path cannot climb"),
        pytest.param("tab\tinside", "tabinside", id="a tab inside is dropped, as it is no space"),
        pytest.param("v2-beta", "v2-beta", id="digits and dashes stay"),
        pytest.param("größe-Ⅷ-١", "gre--", id="only ASCII letters and digits stay"),
        pytest.param("", "", id="nothing of nothing"),
        pytest.param("!!!", "", id="nothing of punctuation"),
        pytest.param(" _ ", "-", id="a lone underscore is a dash"),
    ],
)
def test_a_slug_is_lower_case_letters_digits_and_dashes(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        (MCP, "Invoice Tools", "/agentcore/mcp/invoice-tools"),
        (A2A, "pharmacy_fraud_a2a", "/agentcore/a2a/pharmacy-fraud-a2a"),
        (MCP, "!!!", ""),
        (A2A, "", ""),
        (A2A, "_ _", ""),
        (MCP, "-x-", "/agentcore/mcp/-x-"),
    ],
)
def test_a_path_is_the_slug_under_its_kind_and_empty_without_letter_or_digit(
    kind: ResourceKind, name: str, path: str
) -> None:
    assert resource_path(kind, name) == path


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/a-1", ("us-east-1", "123456789012")),
        ("arn:aws-cn:bedrock-agentcore:cn-north-1:123456789012:runtime/a:3", ("cn-north-1", "123456789012")),
        ("arn:aws:iam::123456789012:role/demo", ("", "123456789012")),
        ("arn:aws:iam:us-east-1", ("", "")),
        ("", ("", "")),
    ],
)
def test_region_and_account_are_read_from_an_arn_and_empty_where_it_is_none(
    arn: str, expected: tuple[str, str]
) -> None:
    assert region_and_account(arn) == expected
