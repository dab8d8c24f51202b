"""Valid agent cards of A2A 0.2, 0.3, 1.0 and of both, for the tests of cards."""

from __future__ import annotations

import re
from typing import Any

from federations.sync.agent_cards import with_json_names

OWN = "http://localhost:9000"
FLOWS: dict[str, Any] = {
    "authorizationCode": {"authorizationUrl": "https://a.example", "tokenUrl": "https://t.example", "scopes": {}},
    "clientCredentials": {"tokenUrl": "https://t.example", "scopes": {"read_all": "Read"}},
    "implicit": {"authorizationUrl": "https://a.example", "scopes": {}},
    "password": {"tokenUrl": "https://t.example", "scopes": {}},
}
SKILLS = [
    {"id": "spot", "name": "Spot fraud", "description": "d", "tags": ["a"], "examples": ["x"], "inputModes": ["text"]},
    {"id": "report", "name": "Report it", "description": "d", "tags": []},
]
COMMON: dict[str, Any] = {
    "name": "Rx Guardian",
    "description": "Spots forged prescriptions",
    "version": "1.2.0",
    "provider": {"organization": "Apothecary Ltd", "url": "https://apothecary.example"},
    "documentationUrl": "https://docs.example",
    "iconUrl": "https://icons.example/a.png",
    "capabilities": {
        "streaming": True,
        "pushNotifications": False,
        "extensions": [{"uri": "https://e.example", "required": False, "params": {"some_key": [1, None]}}],
    },
    "defaultInputModes": ["text"],
    "defaultOutputModes": ["text"],
    "skills": SKILLS,
    "x-unknown_member": {"some_key": 1},
}
LEGACY = {"url": f"{OWN}/", "protocolVersion": "0.3.0", "preferredTransport": "JSONRPC"}
MODERN = {
    "supportedInterfaces": [
        {"url": f"{OWN}/v1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": f"{OWN}/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
    ]
}
LEGACY_SCHEMES = {
    "my_oauth": {"type": "oauth2", "flows": {"clientCredentials": FLOWS["clientCredentials"]}},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "http": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
MODERN_SCHEMES = {
    "my_oauth": {"oauth2SecurityScheme": {"flows": {"clientCredentials": FLOWS["clientCredentials"]}}},
    "key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}},
    "oidc": {"openIdConnectSecurityScheme": {"openIdConnectUrl": "https://o.example"}},
}
CARD_0_2: dict[str, Any] = {
    **COMMON,
    "url": f"{OWN}/",
    "authentication": {"schemes": ["Bearer"], "credentials": None},
}
CARD_0_3: dict[str, Any] = {
    **COMMON,
    **LEGACY,
    "additionalInterfaces": [{"url": f"{OWN}/grpc", "transport": "GRPC"}],
    "securitySchemes": LEGACY_SCHEMES,
    "security": [{"my_oauth": ["read_all"]}],
    "supportsAuthenticatedExtendedCard": True,
}
CARD_1_0: dict[str, Any] = {
    **COMMON,
    **MODERN,
    "securitySchemes": MODERN_SCHEMES,
    "securityRequirements": [{"schemes": {"my_oauth": {"list": ["read_all"]}}}],
    "signatures": [{"protected": "e30", "signature": "c2ln", "header": {"some_key": 1}}],
}
HYBRID: dict[str, Any] = {**CARD_0_3, **MODERN}
_NOT_RENAMED = ("schemes", "scopes", "params", "header", "x-unknown_member", "authentication")


def snake_case(value: Any, *, has_free_keys: bool = False) -> Any:
    """Return a card with the original names of its members."""
    if isinstance(value, list):
        return [snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        name = key if has_free_keys else re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
        is_free = not has_free_keys and key in _NOT_RENAMED
        found[name] = item if is_free else snake_case(item, has_free_keys=key == "securitySchemes")
    return found


SNAKE_0_3, SNAKE_1_0 = snake_case(CARD_0_3), snake_case(CARD_1_0)
CARDS = {
    "0.2": CARD_0_2,
    "0.3": CARD_0_3,
    "1.0": CARD_1_0,
    "hybrid": HYBRID,
    "snake 0.3": SNAKE_0_3,
    "snake 1.0": SNAKE_1_0,
}


def urls_of(card: Any) -> list[Any]:
    """Return every address of the agent in a card."""
    named = with_json_names(card)
    lists = [named.get(member) for member in ("supportedInterfaces", "additionalInterfaces")]
    interfaces = [each for listed in lists if isinstance(listed, list) for each in listed if isinstance(each, dict)]
    return [named.get("url"), *(each.get("url") for each in interfaces)]
