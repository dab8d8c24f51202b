"""Agent cards that the A2A SDK itself does not write: wrong ones, and a valid one of A2A 0.3."""

from __future__ import annotations

import copy
from typing import Any

from core.strict_json import JsonObject

# A2A 0.3 allows several flows in one scheme, which the message of A2A 1.0 cannot hold.
OAUTH_FLOWS: JsonObject = {
    "authorizationCode": {
        "authorizationUrl": "https://id.sandbox.example/authorize",
        "tokenUrl": "https://id.sandbox.example/token",
        "scopes": {"agent.use": "Use the agent"},
    },
    "clientCredentials": {
        "tokenUrl": "https://id.sandbox.example/token",
        "scopes": {"agent.use": "Use the agent"},
    },
}


def break_card(card: dict[str, Any], fault: str) -> dict[str, Any]:
    """Return the card with one of `CARD_FAULTS`."""
    if fault == "empty":
        return {}
    if fault == "two_oauth_flows":
        return _card_of_0_3(card)
    broken_card = copy.deepcopy(card)
    if fault == "no_skills":
        del broken_card["skills"]
    elif fault == "object_examples":
        for skill in broken_card["skills"]:
            skill["examples"] = [{"input": text, "output": "done"} for text in skill.get("examples", [])]
    return broken_card


def _card_of_0_3(card: dict[str, Any]) -> dict[str, Any]:
    """Return the card as A2A 0.3 has it, with two OAuth flows in one security scheme."""
    kept = ("name", "description", "version", "provider", "defaultInputModes", "defaultOutputModes", "skills")
    return {
        **{name: copy.deepcopy(card[name]) for name in kept if name in card},
        "protocolVersion": "0.3.0",
        "url": card["supportedInterfaces"][0]["url"],
        "preferredTransport": "JSONRPC",
        "capabilities": {"streaming": False, "pushNotifications": False},
        "securitySchemes": {"oauth": {"type": "oauth2", "flows": copy.deepcopy(OAUTH_FLOWS)}},
        "security": [{"oauth": ["agent.use"]}],
    }
