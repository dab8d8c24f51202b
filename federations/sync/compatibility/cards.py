"""The rules for an agent's card, read in one form whatever version of A2A (0.2 to 1.0) it is served in."""

from __future__ import annotations

from urllib.parse import urlsplit

from federations.sync.compatibility.classes import UNKNOWN, breaking, canonical_text, compatible, risky
from federations.sync.compatibility.items import (
    description_changed,
    icons_changed,
    input_mode_removed,
    order_changed,
    output_mode_removed,
    protocol_version_changed,
    respelled,
    security_scheme_changed,
    without_defaults,
)
from federations.sync.compatibility.members import Judge, changed_members, judge_by, judge_members
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json, JsonObject

_INTERFACE_MEMBERS = ("url", "preferredTransport", "additionalInterfaces", "supportedInterfaces")
# A2A 1.0 wraps each scheme in an object whose one member names the type.
_SCHEME_TYPES = {
    "apiKeySecurityScheme": "apiKey",
    "httpAuthSecurityScheme": "http",
    "oauth2SecurityScheme": "oauth2",
    "openIdConnectSecurityScheme": "openIdConnect",
    "mtlsSecurityScheme": "mutualTLS",
}

_MAY_BE_MISSING = frozenset(
    {
        *("documentationUrl", "iconUrl", "signatures", "additionalInterfaces", "supportsAuthenticatedExtendedCard"),
        *("securitySchemes", "security", "securityRequirements"),
    }
)
_CAPABILITIES = frozenset(
    {"streaming", "pushNotifications", "stateTransitionHistory", "extensions", "extendedAgentCard"}
)


@breaking
def streaming_removed(before: Json, after: Json) -> bool:
    """A member that is missing means false."""
    return before is True and after is not True


@risky
def host_changed(before: Json, after: Json) -> bool:
    """Tell whether interfaces have a host or port that none had, or the first one has another."""
    old, new = _hosts(before), _hosts(after)
    return bool(set(new) - set(old)) or old[:1] != new[:1]


@compatible
def card_respelled(before: Json, after: Json) -> bool:
    """The card says the same with the names or in the form of another version of A2A."""
    return canonical_text(before) != canonical_text(after)


_JUDGES: dict[str, Judge] = {
    "description": judge_by(description_changed),
    "iconUrl": judge_by(icons_changed),
    "interfaces": judge_by(host_changed),
    "protocolVersions": judge_by(protocol_version_changed),
    "capabilities": judge_members({"streaming": judge_by(streaming_removed)}),
    "defaultInputModes": judge_by(input_mode_removed, order_changed),
    "defaultOutputModes": judge_by(output_mode_removed, order_changed),
    "securitySchemes": judge_by(security_scheme_changed),
    "security": judge_by(security_scheme_changed),
    "securityRequirements": judge_by(security_scheme_changed),
}


def judge_card(before: Json, after: Json, work: Work) -> set[str]:
    """Judge two cards without their skills. A card that is missing or not an object is `unknown`."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return {UNKNOWN}
    old, new = _in_one_form(before), _in_one_form(after)
    found: set[str] = set()
    for name in changed_members(old, new):
        found |= _JUDGES.get(name, judge_by())(old.get(name), new.get(name), work)
    return found or judge_by(card_respelled)(before, after, work)


def _in_one_form(card: JsonObject) -> JsonObject:
    """Return the card with all interfaces in one list, their versions beside them, and one form of security."""
    members = without_defaults(respelled(card), _MAY_BE_MISSING)
    members.pop("skills", None)
    interfaces = _interfaces(members)
    if interfaces is not None:
        versions = [each.pop("protocolVersion") for each in interfaces if "protocolVersion" in each]
        if "protocolVersion" in members:
            versions.append(members.pop("protocolVersion"))
        members = {name: value for name, value in members.items() if name not in _INTERFACE_MEMBERS}
        members["interfaces"] = list({canonical_text(each): each for each in interfaces}.values())
        members["protocolVersions"] = sorted(versions, key=canonical_text)
    schemes = members.get("securitySchemes")
    if isinstance(schemes, dict):
        members["securitySchemes"] = {name: _scheme(each) for name, each in schemes.items()}
    if isinstance(members.get("securityRequirements"), list) and "security" not in members:
        members["security"] = _requirements(members.pop("securityRequirements"))
    capabilities = members.get("capabilities")
    if isinstance(capabilities, dict):
        extended = members.pop("supportsAuthenticatedExtendedCard", False)
        members["capabilities"] = without_defaults({"extendedAgentCard": extended, **capabilities}, _CAPABILITIES)
    return members


def _interfaces(members: JsonObject) -> list[JsonObject] | None:
    """Return the interfaces, the first one first, with A2A 1.0's names; None if the members have another form."""
    found: list[JsonObject] = []
    if "url" in members:
        found.append({"url": members["url"], "protocolBinding": members.get("preferredTransport", "JSONRPC")})
    elif "preferredTransport" in members:
        return None
    for name in ("supportedInterfaces", "additionalInterfaces"):
        given = members.get(name, [])
        if not isinstance(given, list):
            return None
        for each in given:
            if not isinstance(each, dict):
                return None
            interface = without_defaults(each, frozenset({"tenant"}))
            if "transport" in interface and "protocolBinding" not in interface:
                interface["protocolBinding"] = interface.pop("transport")
            found.append(interface)
    return found


def _hosts(interfaces: Json) -> list[str]:
    given = interfaces if isinstance(interfaces, list) else []
    return [_host(each.get("url")) for each in given if isinstance(each, dict)]


def _host(url: Json) -> str:
    if not isinstance(url, str):
        return canonical_text(url)
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def _scheme(scheme: Json) -> Json:
    """Return a security scheme in the form of A2A 0.3, which is OpenAPI's."""
    if not isinstance(scheme, dict) or len(scheme) != 1:
        return scheme
    ((name, members),) = scheme.items()
    if name not in _SCHEME_TYPES or not isinstance(members, dict) or "type" in members or "in" in members:
        return scheme
    renamed: JsonObject = {("in" if each == "location" else each): value for each, value in members.items()}
    return {"type": _SCHEME_TYPES[name], **renamed}


def _requirements(requirements: Json) -> Json:
    """Return A2A 1.0's list of requirements in the form of A2A 0.3: scheme names with lists of scopes."""
    if not isinstance(requirements, list):
        return requirements
    found: list[Json] = []
    for requirement in requirements:
        schemes = requirement.get("schemes") if isinstance(requirement, dict) and len(requirement) == 1 else None
        found.append(
            {name: _scopes(each) for name, each in schemes.items()} if isinstance(schemes, dict) else requirement
        )
    return found


def _scopes(scopes: Json) -> Json:
    if isinstance(scopes, dict) and scopes.keys() <= {"list"}:
        return scopes.get("list", [])
    return scopes
