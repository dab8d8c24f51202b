"""Facts about a server or an agent in words: what it can do, how it speaks, when it changed.

The values come from runtimes that the hub does not control, so any member can be missing or of another type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.admin.labels import format_time
from federations.admin.catalog_view import strings
from federations.models import A2aAgent, McpServer, SignatureChoice
from federations.sync.agent_cards import with_json_names
from federations.sync.resources import Json, JsonObject

Fact = tuple[str, str]
MAX_CHARACTERS = 500
CARD_CAPABILITIES = (
    ("streaming", "streaming"),
    ("pushNotifications", "push notifications"),
    ("stateTransitionHistory", "history of states"),
    ("extendedAgentCard", "extended agent card"),
)
MCP_FLAGS = (("listChanged", "tells of changes"), ("subscribe", "subscriptions"))


def facts_of(resource: McpServer | A2aAgent) -> list[Fact]:
    """Return names and texts of what a resource says about itself; a fact without a text is left out."""
    found = _card_facts(resource) if isinstance(resource, A2aAgent) else _server_facts(resource)
    return [(name, text[:MAX_CHARACTERS]) for name, text in found if text]


def _server_facts(server: McpServer) -> Iterator[Fact]:
    info = _object(server.server_info)
    yield "Server", " ".join(filter(None, (_text(info, "title") or _text(info, "name"), _text(info, "version"))))
    yield "MCP revision", server.protocol_version
    yield "Capabilities", ", ".join(_mcp_capabilities(_object(server.capabilities)))
    yield "Website", _text(info, "websiteUrl")


def _mcp_capabilities(capabilities: JsonObject) -> Iterator[str]:
    for name, value in capabilities.items():
        flags = [wording for key, wording in MCP_FLAGS if _object(value).get(key) is True]
        yield f"{name} ({', '.join(flags)})" if flags else name


def _card_facts(agent: A2aAgent) -> Iterator[Fact]:
    card = with_json_names(agent.card)
    provider = _object(card.get("provider"))
    yield "Name on the card", agent.card_name
    yield "Organization", " ".join(filter(None, (agent.organization, _text(provider, "url"))))
    yield "Version of the card", _text(card, "version")
    yield "A2A", ", ".join(dict.fromkeys(_interfaces(card)))
    yield "Capabilities", ", ".join(_card_capabilities(_object(card.get("capabilities")))) or "none declared"
    yield "Takes", ", ".join(strings(card.get("defaultInputModes")))
    yield "Gives", ", ".join(strings(card.get("defaultOutputModes")))
    yield "Security schemes of the card", ", ".join(_object(card.get("securitySchemes")))
    yield "Signature of the card", signature_words(agent)
    yield "Documentation", _text(card, "documentationUrl")


def signature_words(agent: A2aAgent) -> str:
    """Return what the hub found about the signatures of a card, the key and the time; empty before the first check."""
    if not agent.signature_checked_at:
        return ""
    key = f" by the pinned key {agent.signature_key_name}" if agent.signature_state == SignatureChoice.VERIFIED else ""
    kid = f", key id {agent.signature_kid}" if agent.signature_kid else ""
    reason = f". {agent.signature_reason}" if agent.signature_reason else ""
    state = agent.get_signature_state_display()
    return f"{state}{key}{kid}, checked {format_time(agent.signature_checked_at)}{reason}"


def _interfaces(card: JsonObject) -> Iterator[str]:
    """Yield revision and transport of each interface; A2A 0.x has the first of them in the card itself."""
    if revision := _text(card, "protocolVersion"):
        yield f"{revision} {_text(card, 'preferredTransport') or 'JSONRPC'}"
    for key in ("supportedInterfaces", "additionalInterfaces"):
        listed: Any = card.get(key)
        for each in listed if isinstance(listed, list) else []:
            interface = _object(each)
            transport = _text(interface, "protocolBinding") or _text(interface, "transport")
            yield " ".join(filter(None, (_text(interface, "protocolVersion"), transport)))


def _card_capabilities(capabilities: JsonObject) -> Iterator[str]:
    yield from (wording for key, wording in CARD_CAPABILITIES if capabilities.get(key) is True)
    extensions = capabilities.get("extensions")
    for each in extensions if isinstance(extensions, list) else []:
        if uri := _text(_object(each), "uri"):
            yield f"extension {uri}"


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(found: JsonObject, key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""
