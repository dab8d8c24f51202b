"""Callbacks that a partner sends, and the dispatch that they report on."""

from __future__ import annotations

from typing import Any

from peers.models import Dispatch
from peers.protocol import DelegationScope, JsonObject, sign_envelope
from peers.services.outbox.dispatch import create_dispatch
from tests.api.peers.partner import OPERATOR, Partner, body_of, send

CALLBACK = "/api/v1/federation/callback"


def dispatch_to(partner: Partner, **fields: Any) -> Dispatch:
    """Have staff dispatch an intent with a state of its own to an approved partner."""
    scope = fields.pop("scope", DelegationScope())
    return create_dispatch(intent_id="i-1", target_server=partner.url, scope=scope, by=OPERATOR, **fields)


def callback(dispatch_id: str, event_type: str = "state_delta", **changes: Any) -> JsonObject:
    """Return an unsigned callback; a change to `...` leaves the member out."""
    values: dict[str, Any] = {"dispatch_id": dispatch_id, "event_type": event_type, "state_delta": {}} | changes
    return {name: value for name, value in values.items() if value is not ...}


def attestation(partner: Partner, dispatch_id: str, **changes: Any) -> JsonObject:
    """Return an attestation that the partner has signed."""
    values: dict[str, Any] = {
        "dispatch_id": dispatch_id,
        "governance_compliant": True,
        "usage": {"llm_tokens": 500, "cost_usd": 0.02},
        "trace_references": [],
    } | changes
    return values | {"signature": sign_envelope(partner.identity, values)}


def report(partner: Partner, message: JsonObject, **changes: Any) -> Any:
    """POST a callback that the partner signs both ways."""
    body = body_of(partner.sign(message))
    return send(body, partner.headers(body, path=CALLBACK, **changes), path=CALLBACK)


def report_plainly(partner: Partner, message: JsonObject) -> Any:
    """POST a callback with a signature over its object alone, as plain OpenIntent does."""
    return send(partner.sign(message), path=CALLBACK)
