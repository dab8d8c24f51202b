"""Findings as JSON, so that a stored plan is applied with the findings from which it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.strict_json import JsonObject
from federations.sync.resources import (
    AgentCard,
    EnrichedAgent,
    EnrichedMcpServer,
    FailedRuntime,
    Finding,
    ListedRuntime,
    McpCatalog,
    ResourceKind,
    Runtime,
    RuntimeAccess,
    SyncWarning,
    UnavailableRuntime,
    UnchangedRuntime,
    UnsupportedRuntime,
)

_TUPLES = {
    "audiences",
    "allowed_clients",
    "allowed_scopes",
    "tools",
    "resources",
    "resource_templates",
    "prompts",
    "skills",
}


def finding_to_json(finding: Finding) -> JsonObject:
    """Return the finding as JSON: its class under `finding`, and its fields. Times are ISO 8601."""
    return {"finding": type(finding).__name__, **_jsonable(asdict(finding))}


def finding_from_json(value: JsonObject) -> Finding:
    """Return the finding of `finding_to_json`. Raises KeyError or TypeError for a value that it did not return."""
    fields: dict[str, Any] = dict(value)
    return _READERS[fields.pop("finding")](fields)


def listed_to_json(listed: ListedRuntime) -> JsonObject:
    """Return one entry of a listing as JSON."""
    return _jsonable(asdict(listed))


def listed_from_json(value: JsonObject) -> ListedRuntime:
    """Return the entry of a listing of `listed_to_json`."""
    return ListedRuntime(**_with_time(dict(value)))


def _jsonable(fields: Mapping[str, Any]) -> JsonObject:
    return {name: _json_value(value) for name, value in fields.items()}


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case frozenset():
            return sorted(value)
        case tuple() | list():
            return [_json_value(item) for item in value]
        case dict():
            return _jsonable(value)
    return value


def _with_time(fields: dict[str, Any]) -> dict[str, Any]:
    moment = fields.get("last_updated_at")
    return {**fields, "last_updated_at": datetime.fromisoformat(moment) if moment else None}


def _kind(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "kind": ResourceKind(fields["kind"]) if fields["kind"] else None}


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if name in _TUPLES else value for name, value in fields.items()}


def _runtime(fields: Any) -> Runtime:
    return Runtime(**_with_time(fields))


def _warnings(values: Any) -> tuple[SyncWarning, ...]:
    return tuple(SyncWarning(**value) for value in values)


def _catalog(fields: Any) -> McpCatalog:
    lost, warnings = frozenset(fields["lost_listings"]), _warnings(fields["warnings"])
    return McpCatalog(**{**_tuples(fields), "lost_listings": lost, "warnings": warnings})


def _card(fields: Any) -> AgentCard:
    return AgentCard(**{**_tuples(fields), "warnings": _warnings(fields["warnings"])})


def _access(fields: Any) -> RuntimeAccess:
    return RuntimeAccess(**_tuples(fields))


def _server(fields: dict[str, Any]) -> Finding:
    return EnrichedMcpServer(
        _runtime(fields["runtime"]), _access(fields["access"]), _catalog(fields["catalog"]), fields["url"]
    )


def _agent(fields: dict[str, Any]) -> Finding:
    return EnrichedAgent(_runtime(fields["runtime"]), _access(fields["access"]), _card(fields["card"]))


def _unchanged(fields: dict[str, Any]) -> Finding:
    described = fields["described"]
    return UnchangedRuntime(**{**_kind(_with_time(fields)), "described": _runtime(described) if described else None})


_READERS: dict[str, Callable[[dict[str, Any]], Finding]] = {
    "EnrichedMcpServer": _server,
    "EnrichedAgent": _agent,
    "UnchangedRuntime": _unchanged,
    "UnavailableRuntime": lambda fields: UnavailableRuntime(
        _runtime(fields["runtime"]), ResourceKind(fields["kind"]) if fields["kind"] else None
    ),
    "UnsupportedRuntime": lambda fields: UnsupportedRuntime(_runtime(fields["runtime"])),
    "FailedRuntime": lambda fields: FailedRuntime(**_kind(_with_time(fields))),
}
