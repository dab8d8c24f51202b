"""A finding is the same after it was stored as JSON text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from federations.sync.resources import (
    Finding,
    ListedRuntime,
    ResourceKind,
    RuntimeAccess,
    SyncWarning,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
)
from federations.sync.stored_findings import finding_from_json, finding_to_json, listed_from_json, listed_to_json
from tests.findings import SEEN_AT, agent, failure, runtime, server

JWT = RuntimeAccess("jwt", "https://issuer.example/d", ("a", "b"), ("client",), ("scope",))
WARNING = SyncWarning("listing", "prompts/list", "one-0123456789", "error -32603")


def full_server() -> Finding:
    found = server("one")
    catalog = replace(
        found.catalog,
        resources=({"uri": "x:1", "name": "n", "size": 2**64, "deep": [{"a": -0.0}]},),
        resource_templates=({"uriTemplate": "x:{id}"},),
        prompts=({"name": "p"},),
        server_info={"name": "s", "title": "T"},
        capabilities={"tools": {}},
        protocol_version="2025-11-25",
        lost_listings=frozenset({"prompts", "tools"}),
        warnings=(WARNING,),
    )
    return replace(found, access=JWT, catalog=catalog, runtime=runtime("one", tags={"env": "x"}, failure_reason="f"))


def full_agent() -> Finding:
    found = agent("one")
    return replace(found, card=replace(found.card, name="Rx", organization="Clinic", warnings=(WARNING,)))


FINDINGS: dict[str, Finding] = {
    "server": full_server(),
    "agent": full_agent(),
    "unchanged": UnchangedRuntime("a-1", "arn", "a", "1", SEEN_AT, ResourceKind.A2A_AGENT, "A2A", "READY"),
    "described": UnchangedRuntime("a-1", "arn", "a", "1", SEEN_AT, None, described=runtime("a"), tags={"env": "x"}),
    "not called": UnavailableRuntime(runtime("a"), ResourceKind.MCP_SERVER),
    "not called, unknown": UnavailableRuntime(runtime("a")),
    "unsupported": UnsupportedRuntime(replace(runtime("a", protocol="AGUI"), allowed_headers=("A2A-Version",))),
    "failed": failure("a"),
    "failed, unknown": replace(failure("a"), kind=None, last_updated_at=None),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_is_the_same_after_it_was_stored(name: str) -> None:
    stored = json.loads(json.dumps(finding_to_json(FINDINGS[name])))
    assert finding_from_json(stored) == FINDINGS[name]


@pytest.mark.parametrize("tags", [None, {}, {"env": "x"}])
def test_an_entry_of_a_listing_is_the_same_after_it_was_stored(tags: dict[str, str] | None) -> None:
    listed = ListedRuntime("a-1", "2", datetime(2026, 1, 1, 12, 30, 0, 123000, tzinfo=UTC), tags)
    assert listed_from_json(json.loads(json.dumps(listed_to_json(listed)))) == listed
