"""Names, paths and places of discovered runtimes."""

from __future__ import annotations

import re

from federations.sync.resources import ResourceKind

PATH_PREFIX = {ResourceKind.MCP_SERVER: "/agentcore/mcp/", ResourceKind.A2A_AGENT: "/agentcore/a2a/"}


def slug(name: str) -> str:
    """Return the part of a path that stands for `name`: lower-case letters, digits and `-`; may be empty."""
    return re.sub(r"[^a-z0-9-]", "", re.sub(r"[ _]", "-", name.strip().lower()))


def resource_path(kind: ResourceKind, name: str) -> str:
    """Return the registry path of a resource, e.g. `/agentcore/mcp/invoice-tools`; empty where the slug is."""
    short = slug(name)
    return PATH_PREFIX[kind] + short if short.strip("-") else ""


def region_and_account(arn: str) -> tuple[str, str]:
    """Return the region and account of an ARN (`arn:partition:service:region:account:resource`), empty if absent."""
    parts = arn.split(":", 5)
    return (parts[3], parts[4]) if len(parts) == 6 else ("", "")
