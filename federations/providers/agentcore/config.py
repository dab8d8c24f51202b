"""Validation of the `providerConfig` of an AgentCore federation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from federations.providers.base import InvalidProviderConfigError
from federations.sync.resources import Json, JsonObject

# us-east-1, us-gov-west-1, us-isob-east-1, eusc-de-east-1. The region becomes part of a host name, so the pattern
# allows these characters only.
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
# The form that IAM defines: an account of 12 digits, then a path of at most 512 and a name of at most 64 characters.
_ROLE_ARN = re.compile(r"arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}")
_RUNTIME_ARN = re.compile(
    r"arn:aws(?:-[a-z]+)*:bedrock-agentcore:(?P<region>[a-z0-9-]+):[0-9]{12}:runtime/(?P<id>[A-Za-z0-9_-]{1,128})(?:[/:].*)?"
)
_REQUIRED = ("region", "assumeRoleArn")
# AWS's bounds on the tags of one resource. A filter beyond them cannot match a runtime.
_MOST_TAGS = 50
_TAG_KEY_CHARACTERS = 128
_TAG_VALUE_CHARACTERS = 256


def normalize_config(config: JsonObject, assumable_roles: Sequence[str]) -> JsonObject:
    """Return `region`, `assumeRoleArn` and `resourceTagsFilter` of `config`, without those that are empty.

    `assumable_roles` are glob patterns; the ARN in `assumeRoleArn` must match one of the patterns. Raises
    InvalidProviderConfigError with the message that the API contract defines.
    """
    if "runtimeAccess" in config:
        raise InvalidProviderConfigError("providerConfig.runtimeAccess is not supported")
    kept: JsonObject = {}
    if region := _region(config.get("region")):
        kept["region"] = region
    if role_arn := _role_arn(config.get("assumeRoleArn"), assumable_roles):
        kept["assumeRoleArn"] = role_arn
    if "resourceTagsFilter" in config and (tags := _tags_filter(config["resourceTagsFilter"])):
        kept["resourceTagsFilter"] = tags
    return kept


def check_complete(config: JsonObject, assumable_roles: Sequence[str]) -> None:
    """Raise InvalidProviderConfigError if region or role is missing, or if the role is no longer allowed."""
    missing = [f"providerConfig.{key}" for key in _REQUIRED if not config.get(key)]
    if missing:
        raise InvalidProviderConfigError(f"AWS AgentCore federation requires {', '.join(missing)}")
    # The setting may allow fewer roles than it did when the configuration was stored.
    normalize_config(config, assumable_roles)


def runtime_id_from_arn(arn: str, region: str) -> str:
    """Return the `agentRuntimeId` in a runtime's ARN. A version may follow the id in the ARN.

    Raises InvalidProviderConfigError if the ARN has another form or another region.
    """
    match = _RUNTIME_ARN.fullmatch(arn)
    if match is None or match["region"] != region:
        raise InvalidProviderConfigError(f"runtimeArn is not the ARN of an AgentCore runtime in {region}")
    return match["id"]


def _region(value: Json) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise InvalidProviderConfigError("providerConfig.region is not an AWS region")
    return value


def _role_arn(value: Json, assumable_roles: Sequence[str]) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _ROLE_ARN.fullmatch(value):
        raise InvalidProviderConfigError("providerConfig.assumeRoleArn is not the ARN of an IAM role")
    if not any(fnmatchcase(value, pattern) for pattern in assumable_roles):
        raise InvalidProviderConfigError("providerConfig.assumeRoleArn is not among the roles this hub may assume")
    return value


def _tags_filter(value: Json) -> JsonObject:
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise InvalidProviderConfigError(
            "providerConfig.resourceTagsFilter must be an object of string key/value pairs"
        )
    too_long = _longest(value) > _TAG_KEY_CHARACTERS or _longest(value.values()) > _TAG_VALUE_CHARACTERS
    if too_long or len(value) > _MOST_TAGS:
        raise InvalidProviderConfigError(
            f"providerConfig.resourceTagsFilter has more than AWS allows: {_MOST_TAGS} tags, "
            f"keys of {_TAG_KEY_CHARACTERS} and values of {_TAG_VALUE_CHARACTERS} characters"
        )
    return dict(value)


def _longest(texts: Iterable[Json]) -> int:
    return max((len(str(text)) for text in texts), default=0)
