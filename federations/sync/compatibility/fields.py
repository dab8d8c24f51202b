"""The rules for a resource as a whole: its description, its access, and the words of an MCP server about itself."""

from __future__ import annotations

from federations.sync.compatibility.classes import breaking, canonical_text, compatible
from federations.sync.compatibility.items import (
    description_changed,
    icons_changed,
    meta_changed,
    order_changed,
    protocol_version_changed,
    title_changed,
)
from federations.sync.compatibility.members import Judge, judge_by, judge_members
from federations.sync.resources import Json, ResourceKind


@compatible
def resource_created(before: Json, after: Json) -> bool:
    return before is None


@breaking
def resource_deleted(before: Json, after: Json) -> bool:
    return after is None


@breaking
def access_mode_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@breaking
def discovery_url_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@breaking
def audience_changed(before: Json, after: Json) -> bool:
    """Tell whether another set of audiences is accepted."""
    return not order_changed(before, after)


_JWT: dict[str, Judge] = {
    "discoveryUrl": judge_by(discovery_url_changed),
    "audiences": judge_by(audience_changed, order_changed),
}
_COMMON: dict[str, Judge] = {
    "description": judge_by(description_changed),
    "runtimeAccess": judge_members({"mode": judge_by(access_mode_changed), "jwt": judge_members(_JWT)}),
}
_SERVER_INFO: dict[str, Judge] = {
    "title": judge_by(title_changed),
    "description": judge_by(description_changed),
    "icons": judge_by(icons_changed),
    "_meta": judge_by(meta_changed),
}
_JUDGES: dict[ResourceKind, dict[str, Judge]] = {
    ResourceKind.MCP_SERVER: {
        **_COMMON,
        "protocolVersion": judge_by(protocol_version_changed),
        "serverInfo": judge_members(_SERVER_INFO),
    },
    ResourceKind.A2A_AGENT: _COMMON,
}


def judge_of_field(kind: ResourceKind, field: str) -> Judge:
    """Return the judge of a field of a resource. A field that no rule knows is `unknown`."""
    return _JUDGES[kind].get(field, judge_by())
