"""JSON that peers send as fields that people read: known names get words and units, unknown ones stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin.labels import format_time
from peers.admin.pages import event_words

MOST_LEVELS = 3
MOST_FIELDS = 60
NOTHING = "nothing"
NAMES: Mapping[str, str] = {
    "agent_id": "Agent",
    "attestation": "Attestation",
    "callback_url": "Callbacks go to",
    "cost_ceiling_usd": "Cost ceiling",
    "cost_usd": "Cost",
    "created_at": "Made",
    "delegation_scope": "What may be done",
    "denied_operations": "Denied",
    "dispatch_id": "Dispatch",
    "duration_seconds": "Duration",
    "event_type": "Event",
    "expires_at": "Until",
    "federation_policy": "Policy",
    "governance_compliant": "Kept to the policy",
    "idempotency_key": "Idempotency key",
    "intent_constraints": "Constraints",
    "intent_description": "Description",
    "intent_id": "Intent's id there",
    "intent_state": "State",
    "intent_title": "Intent",
    "llm_tokens": "Used",
    "max_cost_usd": "Most it may cost",
    "max_delegation_depth": "May be passed on",
    "max_llm_tokens": "Most it may use",
    "permissions": "Permitted",
    "received_id": "Received dispatch's id",
    "signature": "Signature",
    "source_server": "From",
    "state_delta": "State delta",
    "target_server": "To",
    "timestamp": "When",
    "trace_context": "Trace",
    "trace_references": "Traces",
    "usage": "Usage",
}
UNITS: Mapping[str, str] = {"_usd": "USD", "_seconds": "s", "_tokens": "tokens", "_ms": "ms", "_bytes": "bytes"}
MOMENTS = ("_at", "timestamp")


def labeled(value: object) -> SafeString:
    """Return a JSON object as a list of labeled fields, to which its JSON can be unfolded; a text is read first."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return format_html('<pre class="fedhub-code">{}</pre>', value)
    if not isinstance(value, dict) or not value:
        return _shown("", value, 0)
    return format_html(
        '<div class="fedhub-labeled">{}<details><summary>As JSON</summary>{}</details></div>',
        _fields(value, 0),
        pretty(value),
    )


def in_short(value: Mapping[str, Any]) -> SafeString:
    """Return a JSON object as labeled fields alone, for a cell of a table."""
    return _fields(value, MOST_LEVELS - 1)


def pretty(value: object) -> SafeString:
    """Return JSON with its members sorted and indented."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="fedhub-code">{}</pre>', text)


def _fields(value: Mapping[str, Any], level: int) -> SafeString:
    items = list(value.items())
    rows = format_html_join(
        "",
        "<div><dt>{}</dt><dd>{}</dd></div>",
        ((NAMES.get(name, name), _shown(name, found, level + 1)) for name, found in items[:MOST_FIELDS]),
    )
    hidden = len(items) - MOST_FIELDS
    more = format_html("<div><dt>…</dt><dd>{} more</dd></div>", hidden) if hidden > 0 else ""
    return format_html('<dl class="fedhub-facts">{}{}</dl>', rows, more)


def _shown(name: str, value: object, level: int) -> SafeString:
    if value in ({}, [], "", None):
        return format_html('<span class="text-subtle">{}</span>', NOTHING)
    if isinstance(value, bool):
        return format_html("{}", "yes" if value else "no")
    if isinstance(value, (int, float)):
        return format_html("{}", _number(name, value))
    if isinstance(value, str):
        return format_html("{}", _text(name, value))
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return format_html("{}", ", ".join(map(str, value)))
    if isinstance(value, dict) and level < MOST_LEVELS:
        return _fields(value, level)
    return pretty(value)


def _number(name: str, value: float) -> str:
    if name == "max_delegation_depth":
        return "not at all" if value == 0 else "once" if value == 1 else f"{value:g} times"
    unit = next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")
    # Not every number is a quantity: a year and an invoice's number take no commas.
    return f"{value:,} {unit}" if unit else str(value)


def _text(name: str, value: str) -> str:
    if name == "event_type":
        return event_words(value)
    return _moment(value) if name.endswith(MOMENTS) else value


def _moment(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return format_time(moment) if moment.tzinfo else value
