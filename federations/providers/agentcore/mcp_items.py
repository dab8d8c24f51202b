"""The check of each listed item of an MCP server alone: an item is kept as it was served, or left out with a warning.

The smallest unit that can fail is the item. An item with a readable name is kept even where other members break MCP's
schema, because its readers (search, API, admin) read each member with care.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from federations.providers.agentcore.bounds import EnrichmentError, check_storable, clean_error
from federations.sync.resources import Json, JsonObject, SyncWarning

_SCHEMAS = ("inputSchema", "outputSchema")


@dataclass(frozen=True, slots=True)
class ItemRule:
    """What an item of one listing must have: `key`, a text. `kind` is the kind of its warnings."""

    kind: str
    key: str


def check_items(
    items: Iterable[Json], rule: ItemRule, runtime_id: str, schema_bytes: int
) -> tuple[list[JsonObject], list[SyncWarning]]:
    """Return the items that can be kept, and a warning for each other one. A schema may have `schema_bytes`."""
    kept: list[JsonObject] = []
    warnings: list[SyncWarning] = []
    for number, item in enumerate(items, start=1):
        try:
            kept.append(_checked(item, rule, schema_bytes))
        except EnrichmentError as exc:
            name = _shown_name(item, rule, number)
            message = clean_error(f"{rule.kind.replace('_', ' ')} {name} left out: {exc}")
            warnings.append(SyncWarning(rule.kind, name, runtime_id, message))
    return kept, warnings


def _checked(item: Json, rule: ItemRule, schema_bytes: int) -> JsonObject:
    """Return the item as it is kept. Raise EnrichmentError with the reason if it cannot be kept."""
    if not isinstance(item, dict):
        raise EnrichmentError("it is not an object")
    if not isinstance(item.get(rule.key), str):
        raise EnrichmentError(f"it has no {rule.key} that is a text")
    check_storable(item)
    for name in _SCHEMAS:
        if name in item and len(_compact(item[name])) > schema_bytes:
            raise EnrichmentError(f"its {name} is larger than {schema_bytes} bytes")
    return item if isinstance(item.get("name"), str) else {**item, "name": item[rule.key]}


def _compact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _shown_name(item: Json, rule: ItemRule, number: int) -> str:
    """Return the name of an item for people, or its number if it has none."""
    texts = [item.get(key) for key in ("name", rule.key)] if isinstance(item, dict) else []
    return next((clean_error(text) for text in texts if isinstance(text, str) and text.strip()), f"number {number}")
