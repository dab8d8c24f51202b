"""Reading and checking of A2A agent cards."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from urllib.parse import urlsplit

import httpx2
from a2a.client.card_resolver import parse_agent_card

from federations.providers.agentcore.bounds import EnrichmentError, clean_error
from federations.providers.agentcore.storable import (
    MAX_DEPTH,
    NOT_STORABLE,
    read_json,
    storable_list,
    storable_object,
)
from federations.sync.agent_cards import (
    CARD_MEMBERS,
    INTERFACE_LISTS,
    OAUTH_FLOWS,
    misplaced_value,
    spoken_versions,
    version_text,
    with_json_names,
)
from federations.sync.resources import AgentCard, Json, JsonObject, Runtime, SyncWarning

_VERSION_HEADER = "a2a-version"
_NO_VERSION = (
    "the agent speaks A2A 1.0 alone, and AgentCore removes the header A2A-Version: put it into the runtime's request "
    "header allowlist, or work for the agent fails"
)
_LEGACY_ADDRESSES = ("url", "preferredTransport", "protocolVersion", "additionalInterfaces")
_NAME_CHARS = 200
_MAX_SKILLS = 5_000
# A hostile card of 4 MB can have a million faults; the hub shows the first 50 of a resource.
_MAX_WARNINGS = 1_000


@dataclass(slots=True)
class _Losses:
    """The warnings about one card while it is read: the first 1,000."""

    runtime_id: str
    warnings: list[SyncWarning] = field(default_factory=list)

    def add(self, kind: str, name: str, message: str) -> None:
        """Add a warning of `kind` about the card or the skill with this name. The texts come from the runtime."""
        if self.is_full:
            return
        named = clean_error(name)[:_NAME_CHARS]
        self.warnings.append(SyncWarning(kind, named, self.runtime_id, clean_error(message)))

    def leave_out(self, skill: Json, number: int, reason: str) -> None:
        """Add the warning about a skill that is left out; `number` is its place in the list, from 1."""
        if not self.is_full:
            label = _label(skill, number)
            self.add("skill", label, f"skill {label} left out: {reason}")

    @property
    def is_full(self) -> bool:
        """Tell whether a further warning would not be kept."""
        return len(self.warnings) >= _MAX_WARNINGS


async def read_card(client: httpx2.AsyncClient, card_url: str, invocation_url: str, runtime_id: str) -> AgentCard:
    """Fetch the card at `card_url` with one GET. Raise EnrichmentError if the answer is not a valid card."""
    response = await client.get(card_url, headers={"accept": "application/json"})
    # In a thread: a large card takes seconds, in which the event loop must serve the other runtimes.
    return await asyncio.to_thread(card_from_json, response.content, invocation_url, runtime_id)


def card_from_json(body: bytes, invocation_url: str, runtime_id: str) -> AgentCard:
    """Parse the card in `body`, of A2A 0.2 to 1.0, with `invocation_url` as its address.

    A card is valid if it has a name, a version, an http(s) address and a list of skills; raise EnrichmentError for any
    other card. A skill without an id or a name is left out with a warning. Everything else is kept as the agent served
    it, with a warning if the A2A SDK cannot read it. The warnings carry `runtime_id`.
    """
    losses = _Losses(runtime_id)
    raw, lost = _read_storable(body, losses)
    card = with_json_names(raw)
    name, version, listed = _required_name(card), _version(card), _listed_skills(card)
    if not any(_is_http(url) for url in _urls(card)):
        raise EnrichmentError(f"the agent card of {name} does not name an http(s) interface")
    for place in lost:
        losses.add("card", name, f"{place} left out: {NOT_STORABLE}")
    skills = _kept_skills(listed, losses)
    for fault in islice(_sdk_faults({**card, "version": version}, skills), _MAX_WARNINGS):
        losses.add("card", name, fault)
    provider = card.get("provider")
    return AgentCard(
        raw=raw,
        skills=tuple(_usable_skill(skill) for skill in skills),
        url=invocation_url,
        name=name.strip(),
        organization=_text(provider, "organization").strip() if isinstance(provider, dict) else "",
        description=_text(card, "description"),
        version=version,
        warnings=tuple(losses.warnings),
    )


def with_version_warning(card: AgentCard, runtime: Runtime) -> AgentCard:
    """Return the card with a warning if the agent cannot get the version of A2A that it needs to be told."""
    is_modern = spoken_versions(card.raw) == ("1.0",)
    if not is_modern or _VERSION_HEADER in (name.lower() for name in runtime.allowed_headers):
        return card
    warning = SyncWarning("card", card.name, runtime.runtime_id, _NO_VERSION)
    return replace(card, warnings=(*card.warnings, warning))


# What every card must have ------------------------------------------------------------------------------------------
def _read_storable(body: bytes, losses: _Losses) -> tuple[JsonObject, list[str]]:
    """Return the card as every database can store it, and the places of what was left out of it.

    A skill that cannot be stored is left out as a whole and added to `losses`.
    """
    served = read_json(body, "the agent card")
    if not isinstance(served, dict):
        raise EnrichmentError("the agent card is not a JSON object")
    lost: list[str] = []
    skills = served.get("skills")
    if not isinstance(skills, list):
        return storable_object(served, lost), lost
    kept: list[Json] = []
    for number, skill in enumerate(skills, start=1):
        faults: list[str] = []
        # The list of skills is the second level of the card.
        stored = storable_list([skill], faults, depth=MAX_DEPTH - 1)
        if faults:
            losses.leave_out(skill, number, f"it holds {NOT_STORABLE}")
        else:
            kept += stored
    return {**storable_object({**served, "skills": []}, lost), "skills": kept}, lost


def _listed_skills(card: JsonObject) -> list[Json]:
    # Every revision of A2A requires the list, which may be empty.
    if card.get("skills") is None:
        raise EnrichmentError("the agent card has no skills")
    if not isinstance(card["skills"], list):
        raise EnrichmentError("skills of the agent card is not a list")
    return card["skills"]


def _required_name(card: JsonObject) -> str:
    name = _text(card, "name")
    if not name.strip():
        raise EnrichmentError("the agent card has no name")
    return name


def _version(card: JsonObject) -> str:
    version = version_text(card)
    if not version.strip():
        raise EnrichmentError("the agent card has no version")
    return version


def _urls(card: JsonObject) -> list[Json]:
    return [card.get("url"), *(interface.get("url") for interface in _interfaces(card))]


def _interfaces(card: JsonObject) -> list[JsonObject]:
    lists = (value for member in INTERFACE_LISTS if isinstance(value := card.get(member), list))
    return [interface for listed in lists for interface in listed if isinstance(interface, dict)]


def _is_http(url: Json) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


# Skills -------------------------------------------------------------------------------------------------------------
def _kept_skills(listed: list[Json], losses: _Losses) -> list[JsonObject]:
    """Return the skills that have an id and a name, at most 5,000, with examples as texts if they are objects."""
    kept: list[JsonObject] = []
    if len(listed) > _MAX_SKILLS:
        losses.add("skill", "", f"skills after the first {_MAX_SKILLS} left out: the card lists {len(listed)}")
    for number, skill in enumerate(listed[:_MAX_SKILLS], start=1):
        if not isinstance(skill, dict):
            losses.leave_out(skill, number, "it is not an object")
        elif missing := next((key for key in ("id", "name") if not _text(skill, key).strip()), ""):
            losses.leave_out(skill, number, f"it has no {missing}")
        else:
            kept.append(_with_text_examples(skill))
    return kept


def _with_text_examples(skill: JsonObject) -> JsonObject:
    examples = skill.get("examples")
    if not isinstance(examples, list):
        return skill
    return {**skill, "examples": [_example_text(example) for example in examples]}


def _example_text(example: Json) -> Json:
    return json.dumps(example, ensure_ascii=False) if isinstance(example, dict) else example


def _usable_skill(skill: JsonObject) -> JsonObject:
    """Return the skill in the form that the hub uses: a description that is a text, tags and examples of texts."""
    usable = dict(skill)
    if not isinstance(skill.get("description", ""), str):
        del usable["description"]
    for key in ("tags", "examples"):
        values = skill.get(key, [])
        if not isinstance(values, list):
            del usable[key]
        elif key in skill:
            usable[key] = [value for value in values if isinstance(value, str)]
    return usable


def _label(skill: Json, number: int) -> str:
    """Return the text that names a skill in a warning: its name, else its id, else its number in the list."""
    known = skill if isinstance(skill, dict) else {}
    label = _text(known, "name").strip() or _text(known, "id").strip() or str(number)
    return clean_error(label)[:_NAME_CHARS]


def _text(holder: JsonObject, key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


# The SDK's advice ---------------------------------------------------------------------------------------------------
def _sdk_faults(card: JsonObject, skills: Sequence[JsonObject]) -> Iterator[str]:
    """Yield a sentence for each part of the card that the A2A SDK cannot read and that the card's version forbids."""
    # The SDK ignores the addresses of A2A 0.2 and 0.3 if the card also has those of 1.0.
    parts: dict[str, JsonObject] = {
        "url": {member: card[member] for member in _LEGACY_ADDRESSES if member in card},
        **{
            member: {member: card[member]}
            for member in CARD_MEMBERS
            if member in card and member not in (*_LEGACY_ADDRESSES, "skills")
        },
    }
    if _is_before_1_0(card) and "securitySchemes" in card:
        parts["securitySchemes"] = {"securitySchemes": _with_single_flows(card["securitySchemes"])}
    for member, part in parts.items():
        if fault := _sdk_fault(part):
            yield f"{member} kept as served: {fault}"
    # One call for all skills is enough for a card without a fault.
    if _sdk_fault({"skills": list(skills)}):
        for number, skill in enumerate(skills, start=1):
            if fault := _sdk_fault({"skills": [skill]}):
                yield f"skill {_label(skill, number)} kept as served: {fault}"


def _sdk_fault(part: JsonObject) -> str:
    """Return the error of the A2A SDK for this part of a card, or an empty text."""
    # The SDK reads a text or a list in the place of an object as an object without members.
    if place := misplaced_value(part):
        return f"{place} is not an object or a list of objects"
    try:
        # The parser changes its argument.
        parse_agent_card(copy.deepcopy(part))
    except OverflowError:
        # The SDK turns numbers into floating-point ones; JSON and A2A have no bound for integers.
        return ""
    except Exception as exc:  # noqa: BLE001 - the SDK raises errors of many types for malformed cards
        return str(exc) or type(exc).__name__
    return ""


def _is_before_1_0(card: JsonObject) -> bool:
    """Tell whether the card is also one of A2A 0.2 or 0.3, which allow several flows in an OAuth scheme."""
    versions = (holder.get("protocolVersion") for holder in (card, *_interfaces(card)))
    return isinstance(card.get("url"), str) or any(str(version).startswith("0.") for version in versions)


def _with_single_flows(schemes: Json) -> Json:
    """Return the security schemes with one scheme for each OAuth flow, because the SDK's message holds only one."""
    if not isinstance(schemes, dict):
        return schemes
    return {
        f"{name} {number}": single for name, scheme in schemes.items() for number, single in enumerate(_split(scheme))
    }


def _split(scheme: Json) -> list[Json]:
    if not isinstance(scheme, dict):
        return [scheme]
    found: list[Json] = []
    # A2A 0.3 has the flows in the scheme itself, A2A 1.0 in an object inside it; a card for both may have both.
    for outer in _split_flows(scheme):
        inner = outer.get("oauth2SecurityScheme")
        if isinstance(inner, dict):
            found += [{**outer, "oauth2SecurityScheme": single} for single in _split_flows(inner)]
        else:
            found.append(outer)
    return found


def _split_flows(holder: JsonObject) -> list[JsonObject]:
    flows = holder.get("flows")
    named = [flow for flow in OAUTH_FLOWS if flow in flows] if isinstance(flows, dict) else []
    if not isinstance(flows, dict) or len(named) < 2:
        return [holder]
    return [{**holder, "flows": {flow: flows[flow]}} for flow in named]
