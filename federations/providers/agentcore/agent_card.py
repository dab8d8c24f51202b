"""Reading and checking of A2A agent cards."""

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
    """Fetch the card at `card_url` with one GET. Raise EnrichmentError if the answer is not a valid card."""
    response = await client.get(card_url, headers={"accept": "application/json"})
    return card_from_json(response.content, invocation_url)


def card_from_json(body: bytes, invocation_url: str) -> AgentCard:
    """Parse the card in `body`, with `invocation_url` as its address. Raise EnrichmentError if it is not valid.

    The SDK's parser accepts an empty object, so this function checks the fields that the hub needs.
    """
    raw = _json_object(body)
    check_storable(raw)
    name, version = _required_text(raw, "name"), _required_text(raw, "version")
    # Every revision of A2A requires the list, which may be empty.
    if raw.get("skills") is None:
        raise EnrichmentError("the agent card has no skills")
    skills = tuple(_normalized_skill(skill) for skill in _object_list(raw["skills"], "skills"))
    if not any(_is_http(url) for url in _urls(raw)):
        raise EnrichmentError(f"the agent card of {name} does not name an http(s) interface")
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
        raise EnrichmentError("the agent card is not JSON") from exc
    if not isinstance(raw, dict):
        raise EnrichmentError("the agent card is not a JSON object")
    return raw


def _check_with_sdk(card: JsonObject) -> None:
    """Parse the card with the A2A SDK. The parser changes its argument, and raises other errors for some shapes."""
    try:
        parse_agent_card(copy.deepcopy(card))
    # The SDK turns numbers into floating-point ones, which raises OverflowError for an integer of 309 digits or more.
    except (ParseError, TypeError, AttributeError, ValueError, OverflowError) as exc:
        raise EnrichmentError(f"the agent card is not valid: {exc}") from exc


def _required_text(holder: JsonObject, key: str, of: str = "the agent card") -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value.strip():
        raise EnrichmentError(f"{of} has no {key}")
    return value


def _object_list(value: Json, key: str) -> list[JsonObject]:
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise EnrichmentError(f"{key} of the agent card is not a list of objects")
    return [item for item in items if isinstance(item, dict)]


def _normalized_skill(skill: JsonObject) -> JsonObject:
    """Return the skill with its examples as strings. Some agents serve objects, which the SDK's parser refuses."""
    for key in ("id", "name"):
        _required_text(skill, key, of="a skill of the agent card")
    examples = skill.get("examples")
    if not isinstance(examples, list):
        return skill
    return {**skill, "examples": [_example_text(example) for example in examples]}


def _example_text(example: Json) -> str:
    return example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)


def _urls(raw: JsonObject) -> list[Json]:
    interfaces: list[JsonObject] = []
    for key in ("supportedInterfaces", "additionalInterfaces"):
        interfaces.extend(_object_list(raw.get(key), key))
    return [raw.get("url"), *(interface.get("url") for interface in interfaces)]


def _is_http(url: Json) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
