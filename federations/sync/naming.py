"""The names and paths of discovered runtimes, and the region and account of an ARN."""

from __future__ import annotations

import re
from collections.abc import Mapping

from federations.sync.resources import ResourceKind

REGISTRY_PREFIX = "/registry/mcp/"
PATH_PREFIX = {ResourceKind.MCP_SERVER: "/agentcore/mcp/", ResourceKind.A2A_AGENT: "/agentcore/a2a/"}


def slug(name: str) -> str:
    """Return the last segment of a path for `name`: lower-case letters, digits and `-`. It may be empty."""
    return re.sub(r"[^a-z0-9-]", "", re.sub(r"[ _]", "-", name.strip().lower()))


def resource_path(kind: ResourceKind, name: str) -> str:
    """Return the registry path of a resource, for example `/agentcore/mcp/invoice-tools`.

    The path is empty if the slug has neither a letter nor a digit.
    """
    short = slug(name)
    return PATH_PREFIX[kind] + short if short.strip("-") else ""


def registry_path(name: str) -> str:
    """Return the path of a server of another registry, for example `/registry/mcp/org-example-weather`."""
    return REGISTRY_PREFIX + slug(re.sub(r"[./]", "-", name))


def tag_names(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return cloud tags as `key:value`, each once.

    Two tags may have one name: `a` with the value `b:c`, and `a:b` with the value `c`.
    """
    return tuple(dict.fromkeys(f"{key}:{value}" for key, value in tags.items()))


def region_and_account(arn: str) -> tuple[str, str]:
    """Return the region and account of an ARN (`arn:partition:service:region:account:resource`).

    Return two empty texts for any other text.
    """
    parts = arn.split(":", 5)
    return (parts[3], parts[4]) if len(parts) == 6 else ("", "")
