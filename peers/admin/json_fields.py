"""JSON as a list of fields that people read: known names get a label and a unit, unknown names stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin.labels import format_time
from peers.admin.labels import event_name

MAX_LEVELS = 3
MAX_FIELDS = 60
NOTHING = "nothing"
FIELD_LABELS: Mapping[str, str] = {
    "agent_id": "Agent",
    "artifacts": "Artifacts",
    "attestation": "Attestation",
    "callback_url": "Callbacks go to",
    "cost_ceiling_usd": "Cost ceiling",
    "cost_usd": "Cost",
    "created_at": "Made",
    "delegation_scope": "Delegation scope",
    "denied_operations": "Denied",
    "dispatch_id": "Dispatch",
    "duration_seconds": "Duration",
    "event_type": "Event",
    "expires_at": "Until",
    "federation_policy": "Policy",
    "governance_compliant": "Policy was followed",
    "idempotency_key": "Idempotency key",
    "intent_constraints": "Constraints",
    "intent_description": "Description",
    "intent_id": "Intent id at the sender",
    "intent_state": "State",
    "intent_title": "Intent",
    "llm_tokens": "LLM tokens used",
    "max_cost_usd": "Cost limit",
    "max_tool_calls": "Limit of tool calls",
    "message": "Message",
    "question": "Question",
    "reason": "Reason",
    "requests": "Requests to the agent",
    "seconds": "Seconds of work",
    "sends": "Messages to the agent",
    "max_delegation_depth": "May be passed on",
    "max_llm_tokens": "LLM token limit",
    "permissions": "Permitted",
    "received_id": "Received dispatch id",
    "signature": "Signature",
    "source_server": "From",
    "state_delta": "State delta",
    "status": "State of the work",
    "target_server": "To",
    "timestamp": "When",
    "tool_calls": "Tool calls",
    "trace_context": "Trace",
    "trace_references": "Traces",
    "unverified": "Not measured",
    "usage": "Usage",
}
UNIT_OF_ENDING: Mapping[str, str] = {
    "_usd": "USD",
    "_seconds": "s",
    "_tokens": "tokens",
    "_ms": "ms",
    "_bytes": "bytes",
}
TIME_ENDINGS = ("_at", "timestamp")


def json_as_fields(value: object) -> SafeString:
    """Return a JSON object as a list of labeled fields, with the JSON text below the fields behind a fold.

    A string is parsed as JSON first; a string that is not JSON is shown unchanged.
    """
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
        indented_json(value),
    )


def short_fields(value: Mapping[str, Any]) -> SafeString:
    """Return a JSON object as labeled fields without its JSON, for a table's cell."""
    return _fields(value, MAX_LEVELS - 1)


def indented_json(value: object) -> SafeString:
    """Return JSON with indents and sorted members."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="fedhub-code">{}</pre>', text)


def _fields(value: Mapping[str, Any], level: int) -> SafeString:
    items = list(value.items())
    rows = format_html_join(
        "",
        "<div><dt>{}</dt><dd>{}</dd></div>",
        ((FIELD_LABELS.get(name, name), _shown(name, found, level + 1)) for name, found in items[:MAX_FIELDS]),
    )
    hidden = len(items) - MAX_FIELDS
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
    if isinstance(value, dict) and level < MAX_LEVELS:
        return _fields(value, level)
    return indented_json(value)


def _number(name: str, value: float) -> str:
    if name == "max_delegation_depth":
        return "not at all" if value == 0 else "once" if value == 1 else f"{value:g} times"
    unit = next((unit for ending, unit in UNIT_OF_ENDING.items() if name.endswith(ending)), "")
    # Only a number with a unit is a quantity: a year or an invoice number must not get commas.
    return f"{value:,} {unit}" if unit else str(value)


def _text(name: str, value: str) -> str:
    if name == "event_type":
        return event_name(value)
    return _time(value) if name.endswith(TIME_ENDINGS) else value


def _time(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return format_time(moment) if moment.tzinfo else value
