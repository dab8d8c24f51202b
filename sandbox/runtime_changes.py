"""The changes of runtimes that the admin API describes: it checks the values and makes the changed spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from core.strict_json import Json, JsonObject
from sandbox.replies import parse_reply
from sandbox.runtime_registry import RuntimeRegistry
from sandbox.runtime_specs import (
    A2A_VERSIONS,
    ALL_VERSIONS,
    LISTINGS,
    WORKER_NAMES,
    InvalidSpecError,
    RuntimeSpec,
    SandboxRuntime,
)
from sandbox.runtime_texts import make_skills, make_spec, make_tools, with_protocol
from sandbox.scripted_answers import check_behavior

# The fields of a runtime's release: a change of one makes a new version.
_RELEASED = {
    "description",
    "tools",
    "skills",
    "resources",
    "prompts",
    "authorizer",
    "protocol",
    "pageSize",
    "streams",
    "serverPort",
    "serverPath",
    "versions",
    "sessions",
    "pages",
    "a2aVersions",
    "worker",
    "workerSeconds",
}
_FIELDS = {
    "description": "description",
    "tags": "tags",
    "status": "status",
    "failureReason": "failure_reason",
    "sessions": "sessions",
    "serverPort": "server_port",
    "serverPath": "server_path",
    "pageSize": "page_size",
    "streams": "streams",
    "authorizer": "authorizer",
    "account": "account",
    "region": "region",
}
_ITEMS = ("tools", "skills", "resources", "prompts")
_AGENT_FIELDS = ("a2aVersions", "worker", "workerSeconds", "forwardedHeaders")
_PARSED = {"name", "protocol", *_ITEMS, *_AGENT_FIELDS, "versions", "pages", "behavior", "touch"}
_TYPES: Mapping[str, type] = {
    "description": str,
    "tags": dict,
    "status": str,
    "failure_reason": str,
    "sessions": bool,
    "server_port": int,
    "server_path": str,
    "page_size": int,
    "streams": bool,
    "authorizer": dict,
    "account": str,
    "region": str,
}


def apply_changes(spec: RuntimeSpec, body: JsonObject) -> RuntimeSpec:
    """Return `spec` changed by the camelCase `body` of the admin API; raise InvalidSpecError naming a wrong value."""
    unknown = set(body) - set(_FIELDS) - _PARSED
    if unknown:
        raise InvalidSpecError(f"unknown fields: {', '.join(sorted(unknown))}")
    protocol = body.get("protocol", spec.protocol)
    if protocol != spec.protocol:
        spec = with_protocol(spec, str(protocol))
    changes: dict[str, Any] = {}
    for name, attribute in _FIELDS.items():
        if name in body:
            if not isinstance(body[name], _TYPES[attribute]):
                raise InvalidSpecError(f"{name} must be a {_TYPES[attribute].__name__}")
            changes[attribute] = body[name]
    for name in _ITEMS:
        if name in body:
            changes[name] = _items(spec.name, name, body[name])
    if "versions" in body:
        changes["versions"] = _versions(body["versions"])
    if "pages" in body:
        changes["pages"] = _pages(body["pages"])
    changes |= _agent_changes(body)
    if "behavior" in body:
        behavior = spec.behavior.with_changes(cast("JsonObject", body["behavior"]))
        check_behavior(behavior)
        changes["behavior"] = behavior
    return replace(spec, **changes)


def _agent_changes(body: JsonObject) -> dict[str, Any]:
    """Return the changes of what an A2A agent does."""
    changes: dict[str, Any] = {}
    if "a2aVersions" in body:
        wanted = body["a2aVersions"]
        if not isinstance(wanted, list) or not wanted or not set(wanted) <= set(A2A_VERSIONS):
            raise InvalidSpecError(f"a2aVersions must be a list of {', '.join(A2A_VERSIONS)}")
        changes["a2a_versions"] = tuple(version for version in A2A_VERSIONS if version in wanted)
    if "worker" in body:
        if body["worker"] not in ("", *WORKER_NAMES):
            raise InvalidSpecError(f"worker must be one of {', '.join(WORKER_NAMES)}")
        changes["worker"] = body["worker"]
    if "workerSeconds" in body:
        seconds = body["workerSeconds"]
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise InvalidSpecError("workerSeconds must be a number, 0 or more")
        changes["worker_seconds"] = float(seconds)
    if "forwardedHeaders" in body:
        names = body["forwardedHeaders"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidSpecError("forwardedHeaders must be a list of texts")
        changes["forwarded_headers"] = tuple(str(name).lower() for name in names)
    return changes


def _items(runtime: str, name: str, value: Json) -> tuple[JsonObject, ...]:
    """Return the tools, skills, resources or prompts that `value` lists; if `value` is a number, make so many of them.

    Only tools and skills can be made from a number.
    """
    makers: dict[str, Callable[[str, int], tuple[JsonObject, ...]]] = {"tools": make_tools, "skills": make_skills}
    if isinstance(value, int) and not isinstance(value, bool) and name in makers:
        return makers[name](runtime, value)
    return tuple(check_objects(name, value))


def _versions(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not set(value) <= set(ALL_VERSIONS):
        raise InvalidSpecError(f"versions must be a list of {', '.join(ALL_VERSIONS)}")
    return tuple(version for version in ALL_VERSIONS if version in value)


def _pages(value: Json) -> Mapping[str, tuple[Json, ...]]:
    """Return the pages of a server made by hand, from `{method: [reply, …]}`."""
    if not isinstance(value, dict) or not set(value) <= set(LISTINGS):
        raise InvalidSpecError(f"pages must be an object of {', '.join(LISTINGS)}")
    for method, replies in value.items():
        if not isinstance(replies, list) or not replies:
            raise InvalidSpecError(f"pages.{method} must be a list of replies")
        for reply in replies:
            parse_reply(reply, f"pages.{method}")
    return {method: tuple(cast("list[Json]", replies)) for method, replies in value.items()}


def check_objects(name: str, value: Json) -> list[JsonObject]:
    """Return `value` if it is a list of objects; else raise InvalidSpecError with `name`."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidSpecError(f"{name} must be a list of objects")
    return cast("list[JsonObject]", value)


def change_runtimes(registry: RuntimeRegistry, method: str, key: str, body: JsonObject) -> SandboxRuntime:
    """Add (POST), change (PATCH) or remove (DELETE) the runtime that `key` and `body` describe, and return it.

    Raises InvalidSpecError, UnknownRuntimeError.
    """
    if method == "DELETE":
        return registry.remove(key)
    if method == "PATCH":
        is_release = not body or bool(_RELEASED & set(body))
        spec = apply_changes(registry.find(key).spec, body)
        return registry.change(key, spec, new_version=is_release, touch=bool(body.get("touch")))
    if not isinstance(body.get("name"), str):
        raise InvalidSpecError("name must be a string")
    return registry.add(apply_changes(make_spec(str(body["name"]), str(body.get("protocol", "MCP"))), body))
