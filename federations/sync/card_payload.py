"""The bytes of an agent card that its signatures cover (A2A 1.0, section 8.4.1).

The card is taken as ProtoJSON of the message AgentCard of the protocol's schema. A member that the schema neither
requires nor marks as `optional` has no presence: its default value means the same as its absence, so it is left out. A
null is an absent member. Every other member counts, also one that the schema does not know, so that nothing in a signed
card escapes the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.jcs import canonical_bytes
from federations.sync.agent_cards import with_json_names
from federations.sync.resources import Json, JsonObject

SIGNATURES = "signatures"
_EACH = "*"


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of the schema: its members without presence, and the messages in its members.

    The key `_EACH` of `inside` stands for every member of a map.
    """

    without_presence: frozenset[str] = frozenset()
    inside: Mapping[str, _Message] = field(default_factory=dict)


def _message(names: str = "", **inside: _Message) -> _Message:
    return _Message(frozenset(names.split()), inside)


def _map_of(message: _Message) -> _Message:
    return _Message(inside={_EACH: message})


_REQUIREMENT = _message("schemes", schemes=_map_of(_message("list")))
_FLOWS = _message(
    authorizationCode=_message("refreshUrl pkceRequired"),
    clientCredentials=_message("refreshUrl"),
    implicit=_message("authorizationUrl refreshUrl scopes"),
    password=_message("tokenUrl refreshUrl scopes"),
    deviceCode=_message("refreshUrl"),
)
_SCHEME = _message(
    apiKeySecurityScheme=_message("description"),
    httpAuthSecurityScheme=_message("description bearerFormat"),
    oauth2SecurityScheme=_message("description oauth2MetadataUrl", flows=_FLOWS),
    openIdConnectSecurityScheme=_message("description"),
    mtlsSecurityScheme=_message("description"),
)
_CARD = _message(
    "securitySchemes securityRequirements",
    supportedInterfaces=_message("tenant"),
    provider=_message(),
    capabilities=_message("extensions", extensions=_message("uri description required")),
    securitySchemes=_map_of(_SCHEME),
    securityRequirements=_REQUIREMENT,
    skills=_message("examples inputModes outputModes securityRequirements", securityRequirements=_REQUIREMENT),
)


def signed_payload(card: JsonObject) -> bytes:
    """Return the canonical bytes of a card without its signatures; raises MalformedMessage for a value without any."""
    named = with_json_names(card)
    return canonical_bytes(_present({name: value for name, value in named.items() if name != SIGNATURES}, _CARD))


def _present(found: JsonObject, message: _Message) -> JsonObject:
    """Return the members of a message that are present, each with its own present members."""
    kept: JsonObject = {}
    for name, value in found.items():
        below = message.inside.get(name) or message.inside.get(_EACH)
        is_default = value is None or (name in message.without_presence and value in ("", False, [], {}))
        if not is_default:
            kept[name] = _value_of(value, below) if below else value
    return kept


def _value_of(value: Json, message: _Message) -> Json:
    if isinstance(value, list):
        return [_value_of(each, message) for each in value]
    return _present(value, message) if isinstance(value, dict) else value
