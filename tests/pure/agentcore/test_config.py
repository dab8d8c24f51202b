"""providerConfig: which keys are kept, and the exact text of every refusal."""

from __future__ import annotations

import pytest

from federations.providers.agentcore.config import check_complete, normalize_config, runtime_id_from_arn
from federations.providers.base import InvalidProviderConfigError
from federations.sync.resources import JsonObject

ROLE = "arn:aws:iam::123456789012:role/demo"
FILTER_MESSAGE = "providerConfig.resourceTagsFilter must be an object of string key/value pairs"
REGION_MESSAGE = "providerConfig.region is not an AWS region"
ROLE_MESSAGE = "providerConfig.assumeRoleArn is not the ARN of an IAM role"
NOT_ALLOWED = "providerConfig.assumeRoleArn is not among the roles this hub may assume"
MISSING = "AWS AgentCore federation requires "


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({}, {}),
        ({"region": "", "assumeRoleArn": None}, {}),
        ({"region": "us-east-1", "profile": "x", "externalId": "chosen"}, {"region": "us-east-1"}),
        ({"assumeRoleArn": ROLE, "resourceTagsFilter": {}}, {"assumeRoleArn": ROLE}),
        (
            {"resourceTagsFilter": {"env": "production", "": ""}},
            {"resourceTagsFilter": {"env": "production", "": ""}},
        ),
    ],
)
def test_only_known_keys_with_a_value_are_kept(config: JsonObject, kept: JsonObject) -> None:
    assert normalize_config(config, ["*"]) == kept


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-4", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_a_region_of_any_partition_is_kept(region: str) -> None:
    assert normalize_config({"region": region}, ["*"]) == {"region": region}


@pytest.mark.parametrize(
    "role",
    [
        ROLE,
        "arn:aws:iam::123456789012:role/path/of/it/name+=,.@_-1",
        "arn:aws-us-gov:iam::123456789012:role/demo",
        "arn:aws-cn:iam::123456789012:role/demo",
    ],
)
def test_a_role_of_any_partition_is_kept(role: str) -> None:
    assert normalize_config({"assumeRoleArn": role}, ["*"]) == {"assumeRoleArn": role}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"runtimeAccess": {"mode": "iam"}}, "providerConfig.runtimeAccess is not supported"),
        ({"runtimeAccess": None}, "providerConfig.runtimeAccess is not supported"),
        ({"region": 5}, REGION_MESSAGE),
        ({"region": "evil.example/us-east-1"}, REGION_MESSAGE),
        ({"region": "us-east-1\n"}, REGION_MESSAGE),
        ({"region": " us-east-1"}, REGION_MESSAGE),
        ({"region": "US-EAST-1"}, REGION_MESSAGE),
        ({"region": "us-east-١"}, REGION_MESSAGE),
        ({"assumeRoleArn": ["x"]}, ROLE_MESSAGE),
        ({"assumeRoleArn": "demo"}, ROLE_MESSAGE),
        ({"assumeRoleArn": "arn:aws:iam::123456789012:user/demo"}, ROLE_MESSAGE),
        ({"assumeRoleArn": "arn:aws:iam::12345:role/demo"}, ROLE_MESSAGE),
        ({"assumeRoleArn": f"{ROLE}\n"}, ROLE_MESSAGE),
        ({"resourceTagsFilter": None}, FILTER_MESSAGE),
        ({"resourceTagsFilter": []}, FILTER_MESSAGE),
        ({"resourceTagsFilter": "env:production, team:platform"}, FILTER_MESSAGE),
        ({"resourceTagsFilter": {"env": 5}}, FILTER_MESSAGE),
        ({"resourceTagsFilter": {"env": ["production"]}}, FILTER_MESSAGE),
    ],
)
def test_a_wrong_config_is_refused_by_name(config: JsonObject, message: str) -> None:
    with pytest.raises(InvalidProviderConfigError) as caught:
        normalize_config(config, ["*"])
    assert caught.value.message == message
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("patterns", "is_allowed"),
    [
        (["*"], True),
        (["arn:aws:iam::123456789012:role/*"], True),
        (["arn:aws:iam::999999999999:role/*", ROLE], True),
        ([], False),
        (["arn:aws:iam::999999999999:role/*"], False),
        (["ARN:AWS:IAM::123456789012:ROLE/*"], False),
    ],
)
def test_a_role_has_to_match_a_pattern(patterns: list[str], is_allowed: bool) -> None:
    if is_allowed:
        assert normalize_config({"assumeRoleArn": ROLE}, patterns) == {"assumeRoleArn": ROLE}
        return
    with pytest.raises(InvalidProviderConfigError, match=NOT_ALLOWED):
        normalize_config({"assumeRoleArn": ROLE}, patterns)


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({}, "providerConfig.region, providerConfig.assumeRoleArn"),
        ({"region": "", "assumeRoleArn": ROLE}, "providerConfig.region"),
        ({"region": "us-east-1"}, "providerConfig.assumeRoleArn"),
    ],
)
def test_an_incomplete_config_names_only_what_is_missing(config: JsonObject, missing: str) -> None:
    with pytest.raises(InvalidProviderConfigError) as caught:
        check_complete(config, ["*"])
    assert caught.value.message == MISSING + missing


def test_a_stored_role_that_is_no_longer_allowed_cannot_be_used() -> None:
    config: JsonObject = {"region": "us-east-1", "assumeRoleArn": ROLE}
    check_complete(config, ["*"])
    with pytest.raises(InvalidProviderConfigError, match=NOT_ALLOWED):
        check_complete(config, ["arn:aws:iam::999999999999:role/*"])


@pytest.mark.parametrize("tail", ["", "/1", ":2", "/runtime-endpoint/DEFAULT"])
def test_a_runtime_arn_leads_to_its_id(tail: str) -> None:
    arn = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/demo_x-abcdefghij{tail}"
    assert runtime_id_from_arn(arn, "us-east-1") == "demo_x-abcdefghij"


@pytest.mark.parametrize("arn", ["demo", "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/demo"])
def test_a_runtime_arn_of_another_shape_or_region_is_refused(arn: str) -> None:
    with pytest.raises(InvalidProviderConfigError, match="runtimeArn is not the ARN of an AgentCore runtime"):
        runtime_id_from_arn(arn, "us-east-1")


@pytest.mark.parametrize(
    "tags", [{"k" * 129: "v"}, {"k": "v" * 257}, {f"k{number}": "v" for number in range(51)}], ids=["key", "value", "n"]
)
def test_a_tags_filter_that_no_aws_resource_can_match_is_refused(tags: JsonObject) -> None:
    with pytest.raises(
        InvalidProviderConfigError, match=r"providerConfig\.resourceTagsFilter has more than AWS allows"
    ):
        normalize_config({"resourceTagsFilter": tags}, ["*"])


def test_the_largest_tags_that_aws_allows_are_kept() -> None:
    tags: JsonObject = {f"{number:03}".ljust(128, "k"): "v" * 256 for number in range(50)}
    assert normalize_config({"resourceTagsFilter": tags}, ["*"]) == {"resourceTagsFilter": tags}
