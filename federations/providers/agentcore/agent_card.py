"""An A2A agent card, read and checked."""

from __future__ import annotations

import copy
import json
from urllib.parse import urlsplit

import httpx2
from a2a.client.card_resolver import parse_agent_card
from google.protobuf.json_format import ParseError

from federations.providers.agentcore.bounds import EnrichmentError, check_storable
from federations.sync.resources import AgentCard, Json, JsonObject


async def read_card(client: httpx2.AsyncClient, card_url: str, invocation_url: str) -> AgentCard:
    """Fetch the card at `card_url` with one GET; raise EnrichmentError where there is no valid one."""
    response = await client.get(card_url, headers={"accept": "application/json"})
    return card_from_json(response.content, invocation_url)


def card_from_json(body: bytes, invocation_url: str) -> AgentCard:
    """Return the card in `body`, whose own addresses `invocation_url` replaces; raise EnrichmentError otherwise.

    The SDK's parser accepts an empty object, so the fields that the hub relies on are checked here as well.
    """
    raw = _json_object(body)
    check_storable(raw)
    name, version = _text(raw, "name"), _text(raw, "version")
    # Required by every revision of A2A, though the list may be empty.
    if raw.get("skills") is None:
        raise EnrichmentError("the agent card has no skills")
    skills = tuple(_skill(skill) for skill in _objects(raw["skills"], "skills"))
    if not any(_is_http(url) for url in _urls(raw)):
        raise EnrichmentError(f"the agent card of {name} names no http(s) interface")
    _check_with_sdk({**raw, "skills": list(skills)})
    description = raw.get("description")
    return AgentCard(
        raw=raw,
        skills=skills,
        url=invocation_url,
        description=description if isinstance(description, str) else "",
        version=version,
    )


def _json_object(body: bytes) -> JsonObject:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise EnrichmentError("the agent card is no JSON") from exc
    if not isinstance(raw, dict):
        raise EnrichmentError("the agent card is no JSON object")
    return raw


def _check_with_sdk(card: JsonObject) -> None:
    """Let the A2A SDK read the card; its parser changes what it is given, and trips over some shapes."""
    try:
        parse_agent_card(copy.deepcopy(card))
    except (ParseError, TypeError, AttributeError, ValueError) as exc:
        raise EnrichmentError(f"the agent card is not valid: {exc}") from exc


def _text(holder: JsonObject, key: str, of: str = "the agent card") -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value.strip():
        raise EnrichmentError(f"{of} has no {key}")
    return value


def _objects(value: Json, key: str) -> list[JsonObject]:
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise EnrichmentError(f"{key} of the agent card is no list of objects")
    return [item for item in items if isinstance(item, dict)]


def _skill(skill: JsonObject) -> JsonObject:
    """Return the skill with its examples as strings: some agents serve objects, which the SDK's parser refuses."""
    for key in ("id", "name"):
        _text(skill, key, of="a skill of the agent card")
    examples = skill.get("examples")
    if not isinstance(examples, list):
        return skill
    return {**skill, "examples": [_example(example) for example in examples]}


def _example(example: Json) -> str:
    return example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)


def _urls(raw: JsonObject) -> list[Json]:
    interfaces: list[JsonObject] = []
    for key in ("supportedInterfaces", "additionalInterfaces"):
        interfaces.extend(_objects(raw.get(key), key))
    return [raw.get("url"), *(interface.get("url") for interface in interfaces)]


def _is_http(url: Json) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
