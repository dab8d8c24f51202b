"""All endpoints in groups: the answer of the API's first address, and the table on its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.api.browsable.described import ROOT, Description, Operation


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line of the table of endpoints: the operation, and the address to open, empty where a page has no use.

    `is_allowed` tells whether the caller has the scope. `opened_from` is the list with the objects of the operation,
    and `note` says why an operation has no page.
    """

    operation: Operation
    address: str
    is_allowed: bool
    note: str = ""
    opened_from: str = ""


def endpoint_list(description: Description) -> list[dict[str, Any]]:
    """Return the groups of endpoints as JSON, in the order of the description."""
    return [
        {
            "name": name,
            "description": text,
            "endpoints": [_described(each) for each in description.operations if each.tag == name],
        }
        for name, text in description.groups.items()
    ]


def endpoint_groups(description: Description, scopes: frozenset[str]) -> list[tuple[str, str, list[Endpoint]]]:
    """Return the groups of endpoints for the page: name, description and lines, without the first address itself."""
    others = [each for each in description.operations if each.path != ROOT]
    return [
        (name, text, [_endpoint(each, description, scopes) for each in others if each.tag == name])
        for name, text in description.groups.items()
    ]


def _described(operation: Operation) -> dict[str, Any]:
    return {
        "method": operation.method,
        "path": operation.path,
        "title": operation.title,
        "description": operation.text,
        "scope": operation.scope,
        "signed": operation.is_signed,
    }


def _endpoint(operation: Operation, description: Description, scopes: frozenset[str]) -> Endpoint:
    allowed = operation.scope is None or operation.scope in scopes
    if operation.is_signed:
        return Endpoint(operation, "", False, "For hubs: it takes a peer's signature or token, so it has no page.")
    if operation.names:
        lists = [each.path for each in description.operations if each.method == "GET" and not each.names]
        parents = [path for path in lists if operation.path.startswith(f"{path}/")]
        return Endpoint(operation, "", allowed, opened_from=max(parents, key=len, default=""))
    return Endpoint(operation, operation.path, allowed)
