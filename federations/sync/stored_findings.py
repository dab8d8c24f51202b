"""Findings as JSON, so that a stored plan is applied with the findings from which it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
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
    "allowed_headers",
    "allowed_scopes",
    "tools",
    "resources",
    "resource_templates",
    "prompts",
    "skills",
}


def finding_to_json(finding: Finding) -> JsonObject:
    """Return the finding as JSON: its class under `finding`, and its fields. Times are ISO 8601."""
    return {"finding": type(finding).__name__, **_json_fields(finding)}


def finding_from_json(value: JsonObject) -> Finding:
    """Return the finding of `finding_to_json`. Raises KeyError or TypeError for a value that it did not return."""
    found: dict[str, Any] = dict(value)
    return _READERS[found.pop("finding")](found)


def listed_to_json(listed: ListedRuntime) -> JsonObject:
    """Return one entry of a listing as JSON."""
    return _json_fields(listed)


def listed_from_json(value: JsonObject) -> ListedRuntime:
    """Return the entry of a listing of `listed_to_json`."""
    return ListedRuntime(**_with_time(dict(value)))


def _json_fields(holder: Any) -> JsonObject:
    """Return the fields of a dataclass as JSON. Documents of a runtime are JSON already, so they are not copied."""
    return {field.name: _json_value(getattr(holder, field.name)) for field in fields(holder)}


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case frozenset():
            return sorted(value)
        case tuple():
            return [_json_value(item) for item in value]
    return _json_fields(value) if is_dataclass(value) else value


def _with_time(found: dict[str, Any]) -> dict[str, Any]:
    moment = found.get("last_updated_at")
    return {**found, "last_updated_at": datetime.fromisoformat(moment) if moment else None}


def _kind(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "kind": ResourceKind(found["kind"]) if found["kind"] else None}


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if name in _TUPLES else value for name, value in found.items()}


def _runtime(found: Any) -> Runtime:
    return Runtime(**_tuples(_with_time(found)))


def _warnings(values: Any) -> tuple[SyncWarning, ...]:
    return tuple(SyncWarning(**value) for value in values)


def _catalog(found: Any) -> McpCatalog:
    lost, warnings = frozenset(found["lost_listings"]), _warnings(found["warnings"])
    return McpCatalog(**{**_tuples(found), "lost_listings": lost, "warnings": warnings})


def _card(found: Any) -> AgentCard:
    return AgentCard(**{**_tuples(found), "warnings": _warnings(found["warnings"])})


def _access(found: Any) -> RuntimeAccess:
    return RuntimeAccess(**_tuples(found))


def _server(found: dict[str, Any]) -> Finding:
    return EnrichedMcpServer(
        _runtime(found["runtime"]), _access(found["access"]), _catalog(found["catalog"]), found["url"]
    )


def _agent(found: dict[str, Any]) -> Finding:
    return EnrichedAgent(_runtime(found["runtime"]), _access(found["access"]), _card(found["card"]))


def _unchanged(found: dict[str, Any]) -> Finding:
    described = found["described"]
    return UnchangedRuntime(**{**_kind(_with_time(found)), "described": _runtime(described) if described else None})


_READERS: dict[str, Callable[[dict[str, Any]], Finding]] = {
    "EnrichedMcpServer": _server,
    "EnrichedAgent": _agent,
    "UnchangedRuntime": _unchanged,
    "UnavailableRuntime": lambda found: UnavailableRuntime(
        _runtime(found["runtime"]), ResourceKind(found["kind"]) if found["kind"] else None
    ),
    "UnsupportedRuntime": lambda found: UnsupportedRuntime(_runtime(found["runtime"])),
    "FailedRuntime": lambda found: FailedRuntime(**_kind(_with_time(found))),
}
