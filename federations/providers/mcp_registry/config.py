"""Validation of the `providerConfig` of a federation that reads an MCP registry."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from core.malformed_input import InvalidIdentifier
from core.net.client import Network, is_permitted_url
from core.net.url_grammar import normalize_server_url
from federations.providers.base import InvalidProviderConfigError
from federations.sync.resources import Json, JsonObject

MAX_PATTERNS = 100
MAX_PATTERN = 200
_LIST_PATH = "/v0.1/servers"


def normalize_config(config: JsonObject, allowed_networks: Sequence[Network]) -> JsonObject:
    """Return `url`, `names` and `status` of `config`, without those that are empty.

    Raises InvalidProviderConfigError.
    """
    if "runtimeAccess" in config:
        raise InvalidProviderConfigError("providerConfig.runtimeAccess is not supported")
    kept: JsonObject = {}
    if url := _url(config.get("url"), allowed_networks):
        kept["url"] = url
    if names := _names(config.get("names")):
        kept["names"] = names
    status = config.get("status")
    if status not in (None, "", "active"):
        raise InvalidProviderConfigError("providerConfig.status must be active, or be left out")
    if status:
        kept["status"] = status
    return kept


def check_complete(config: JsonObject, allowed_networks: Sequence[Network]) -> None:
    """Raise InvalidProviderConfigError if the URL is missing, or no longer allowed."""
    if not config.get("url"):
        raise InvalidProviderConfigError("MCP registry federation requires providerConfig.url")
    normalize_config(config, allowed_networks)


def is_wanted(config: JsonObject, name: str) -> bool:
    """Tell whether a name matches one of the patterns of the configuration; without patterns each does."""
    patterns = config.get("names")
    return not isinstance(patterns, list) or any(fnmatchcase(name, str(pattern)) for pattern in patterns)


def _url(value: Json, allowed_networks: Sequence[Network]) -> str:
    if value is None or value == "":
        return ""
    try:
        url = normalize_server_url(str(value)).removesuffix(_LIST_PATH)
    except InvalidIdentifier as exc:
        raise InvalidProviderConfigError("providerConfig.url is not the URL of a registry") from exc
    if not is_permitted_url(url, allowed_networks=allowed_networks):
        raise InvalidProviderConfigError("providerConfig.url must be an https URL of a public host")
    return url


def _names(value: Json) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise InvalidProviderConfigError("providerConfig.names must be a list of patterns")
    if len(value) > MAX_PATTERNS or any(len(str(name)) > MAX_PATTERN for name in value):
        raise InvalidProviderConfigError(
            f"providerConfig.names has at most {MAX_PATTERNS} patterns of {MAX_PATTERN} characters"
        )
    return list(dict.fromkeys(str(name).strip() for name in value))
