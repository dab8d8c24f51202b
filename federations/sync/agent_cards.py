"""The agent card in the form that the hub hands on: ProtoJSON's names, and the hub's URL as the agent's address.

ProtoJSON's parsers accept two names of each member: the lowerCamelCase name and the original name in the .proto file
(`supported_interfaces`). The tables below have the members of A2A 0.2 to 1.0. Keys that the author of a card chooses,
such as the names of security schemes and OAuth scopes, are not names of members and stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from federations.sync.resources import Json, JsonObject

Members: TypeAlias = Mapping[str, Any]
"""The members of an object by their names. The value is the table of the member's own members, or None."""

_EACH = "*"
"""The key of a table for an object in which the author of the card chooses the keys."""

INTERFACE_LISTS = ("supportedInterfaces", "additionalInterfaces")
"""The members with the agent's interfaces: those of A2A 1.0, and those of 0.2 and 0.3 beside `url`."""

_LISTS = frozenset({*INTERFACE_LISTS, "skills", "extensions", "signatures", "securityRequirements"})
"""The members that hold a list of objects. Every other member with a table holds one object."""

OAUTH_FLOWS = ("authorizationCode", "clientCredentials", "implicit", "password", "deviceCode")
"""The OAuth flows of a security scheme. `deviceCode` came with A2A 1.0."""


def _leaves(*names: str) -> dict[str, None]:
    return dict.fromkeys(names)


_FLOW = _leaves("authorizationUrl", "tokenUrl", "refreshUrl", "scopes", "pkceRequired", "deviceAuthorizationUrl")
_OAUTH2 = {**_leaves("description", "oauth2MetadataUrl"), "flows": dict.fromkeys(OAUTH_FLOWS, _FLOW)}
_SECURITY_SCHEME: Members = {
    # A2A 0.2 and 0.3 put the members beside `type`, A2A 1.0 puts them into one of the five objects.
    **_leaves("type", "name", "in", "location", "scheme", "bearerFormat", "openIdConnectUrl"),
    **_OAUTH2,
    "apiKeySecurityScheme": _leaves("description", "location", "name"),
    "httpAuthSecurityScheme": _leaves("description", "scheme", "bearerFormat"),
    "oauth2SecurityScheme": _OAUTH2,
    "openIdConnectSecurityScheme": _leaves("description", "openIdConnectUrl"),
    "mtlsSecurityScheme": _leaves("description"),
}
_INTERFACE = _leaves("url", "transport", "protocolBinding", "tenant", "protocolVersion")
_REQUIREMENT: Members = {"schemes": {_EACH: _leaves("list")}}
_SKILL: Members = {
    **_leaves("id", "name", "description", "tags", "examples", "inputModes", "outputModes", "security"),
    "securityRequirements": _REQUIREMENT,
}
CARD_MEMBERS: Members = {
    **_leaves("name", "description", "version", "url", "preferredTransport", "protocolVersion"),
    **_leaves("documentationUrl", "iconUrl", "supportsAuthenticatedExtendedCard", "security"),
    **_leaves("defaultInputModes", "defaultOutputModes"),
    "securityRequirements": _REQUIREMENT,
    **dict.fromkeys(INTERFACE_LISTS, _INTERFACE),
    "provider": _leaves("url", "organization"),
    "capabilities": {
        **_leaves("streaming", "pushNotifications", "stateTransitionHistory", "extendedAgentCard"),
        "extensions": _leaves("uri", "description", "required", "params"),
    },
    "securitySchemes": {_EACH: _SECURITY_SCHEME},
    "skills": _SKILL,
    "signatures": _leaves("protected", "signature", "header"),
}


def shown_card(card: JsonObject, url: str) -> JsonObject:
    """Return the card with ProtoJSON's lowerCamelCase names, and with `url` as the address of the agent.

    `card` is the card as the agent served it, of A2A 0.2 to 1.0. `url` replaces each address in it: the card's `url`
    and the `url` of every interface. A malformed list of interfaces loses its malformed entries, because they may hold
    an address too.
    """
    shown: JsonObject = {**with_json_names(card), "url": url}
    if version := version_text(card):
        shown["version"] = version
    for member in INTERFACE_LISTS:
        if member in shown:
            found = shown[member]
            interfaces = found if isinstance(found, list) else []
            shown[member] = [{**interface, "url": url} for interface in interfaces if isinstance(interface, dict)]
    return shown


def version_text(card: JsonObject) -> str:
    """Return the card's version, or an empty text. Some agents serve a number, which becomes its text."""
    version = card.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        return json.dumps(version)
    return version if isinstance(version, str) else ""


def with_json_names(card: JsonObject) -> JsonObject:
    """Return the card with each member under its lowerCamelCase name. Unknown members stay as they are.

    If a card has a member under both names, the member with the lowerCamelCase name stays.
    """
    return _renamed(card, CARD_MEMBERS)


def spoken_versions(card: JsonObject) -> tuple[str, ...]:
    """Return the versions of A2A of the card's JSON-RPC interfaces, newest first: `1.0` and `0.3`, each at most once.

    Every 0.x counts as 0.3 and every later version as 1.0. A card of A2A 0.2 or 0.3 names its interface by `url`. A
    card without a JSON-RPC interface gets the versions of its other interfaces.
    """
    named = with_json_names(card)
    found = [
        (str(interface.get("protocolBinding") or interface.get("transport") or "JSONRPC"), _version_of(interface))
        for member in INTERFACE_LISTS
        if isinstance(listed := named.get(member), list)
        for interface in listed
        if isinstance(interface, dict)
    ]
    if isinstance(named.get("url"), str):
        found.append((str(named.get("preferredTransport") or "JSONRPC"), "0.3"))
    versions = {version for binding, version in found if binding.upper() == "JSONRPC"}
    versions = versions or {version for _, version in found}
    return tuple(version for version in ("1.0", "0.3") if version in versions) or ("0.3",)


def offers_streaming(card: JsonObject) -> bool:
    """Tell whether the card's capabilities offer streams."""
    capabilities = with_json_names(card).get("capabilities")
    return isinstance(capabilities, dict) and capabilities.get("streaming") is True


def _version_of(interface: JsonObject) -> str:
    """Return the version of an interface; those of A2A 0.2 and 0.3, which have a `transport`, name none."""
    version = str(interface.get("protocolVersion") or "")
    if not version:
        return "1.0" if "protocolBinding" in interface else "0.3"
    return "0.3" if version.startswith("0.") else "1.0"


def misplaced_value(card: JsonObject) -> str:
    """Return the place of the first value in `card` that must be an object or a list of objects and is not.

    `card` has lowerCamelCase names. The place is empty if there is no such value. A null is in its place everywhere
    except in a list.
    """
    return next(_misplaced(card, CARD_MEMBERS, ""), "")


def _misplaced(source: JsonObject, members: Members, place: str) -> Iterator[str]:
    for key, value in source.items():
        table = members.get(_EACH) or members.get(key)
        if table is None or value is None:
            continue
        inside = f"{place}.{key}" if place else key
        if key in _LISTS and _EACH not in members:
            yield from _misplaced_items(value, table, inside)
        elif isinstance(value, dict):
            yield from _misplaced(value, table, inside)
        else:
            yield inside


def _misplaced_items(listed: Json, members: Members, place: str) -> Iterator[str]:
    if not isinstance(listed, list):
        yield place
        return
    for number, item in enumerate(listed):
        if isinstance(item, dict):
            yield from _misplaced(item, members, f"{place}[{number}]")
        else:
            yield f"{place}[{number}]"


def _renamed(source: JsonObject, members: Members) -> JsonObject:
    if _EACH in members:
        return {key: _renamed_value(value, members[_EACH]) for key, value in source.items()}
    found: JsonObject = {}
    for key, value in source.items():
        name = _JSON_NAMES.get(key, key)
        if name not in members:
            name = key
        if name == key or name not in source:
            found[name] = _renamed_value(value, members.get(name))
    return found


def _renamed_value(value: Json, members: Members | None) -> Json:
    if members is None:
        return value
    if isinstance(value, list):
        return [_renamed_value(item, members) for item in value]
    return _renamed(value, members) if isinstance(value, dict) else value


def _names(members: Members) -> set[str]:
    """Return the names in a table and in the tables below it."""
    below = (_names(table) for table in members.values() if table is not None)
    return set(members).union(*below)


_JSON_NAMES = {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): name for name in _names(CARD_MEMBERS)}
"""The lowerCamelCase name of each member by its original name."""
