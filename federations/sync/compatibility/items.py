"""The rules for items: tools, resources, resource templates and prompts of a server, and skills of an agent."""

from __future__ import annotations

from enum import StrEnum

from federations.sync.compatibility.classes import UNKNOWN, breaking, canonical_text, compatible, risky
from federations.sync.compatibility.members import (
    Judge,
    changed_members,
    judge_arguments,
    judge_by,
    judge_members,
    judge_schema,
    lower_camel_case,
)
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json, JsonObject


class ItemKind(StrEnum):
    """The kinds of item, by their names in the API contract."""

    TOOL = "tool"
    RESOURCE = "resource"
    RESOURCE_TEMPLATE = "resource_template"
    PROMPT = "prompt"
    SKILL = "skill"


@compatible
def item_added(before: Json, after: Json) -> bool:
    return before is None


@breaking
def item_removed(before: Json, after: Json) -> bool:
    return after is None


@breaking
def skill_removed(before: Json, after: Json) -> bool:
    return after is None


@risky
def description_changed(before: Json, after: Json) -> bool:
    """Models read descriptions, so that another text changes what they do."""
    return canonical_text(before) != canonical_text(after)


@risky
def title_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def icons_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def tags_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def skill_examples_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def meta_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@risky
def read_only_hint_lost(before: Json, after: Json) -> bool:
    return before is True and after is not True


@risky
def destructive_hint_set(before: Json, after: Json) -> bool:
    """MCP: a tool without `destructiveHint` may be destructive."""
    return before is not True and after is not False


@risky
def open_world_hint_set(before: Json, after: Json) -> bool:
    """MCP: a tool without `openWorldHint` may act on an open world."""
    return before is not True and after is not False


@compatible
def order_changed(before: Json, after: Json) -> bool:
    """The same values or items are listed in another order, which has no meaning for this list."""
    if not isinstance(before, list) or not isinstance(after, list):
        return False
    return sorted(map(canonical_text, before)) == sorted(map(canonical_text, after))


@breaking
def input_mode_removed(before: Json, after: Json) -> bool:
    return bool(_texts(before) - _texts(after))


@breaking
def output_mode_removed(before: Json, after: Json) -> bool:
    return bool(_texts(before) - _texts(after))


@breaking
def security_scheme_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def protocol_version_changed(before: Json, after: Json) -> bool:
    return canonical_text(before) != canonical_text(after)


@compatible
def skill_respelled(before: Json, after: Json) -> bool:
    """The skill says the same with ProtoJSON's other names."""
    return canonical_text(before) != canonical_text(after)


def _texts(modes: Json) -> set[str]:
    return {each for each in modes if isinstance(each, str)} if isinstance(modes, list) else set()


_COMMON: dict[str, Judge] = {
    "title": judge_by(title_changed),
    "description": judge_by(description_changed),
    "icons": judge_by(icons_changed),
    "_meta": judge_by(meta_changed),
}
_ANNOTATIONS: dict[str, Judge] = {
    "title": judge_by(title_changed),
    "readOnlyHint": judge_by(read_only_hint_lost),
    "destructiveHint": judge_by(destructive_hint_set),
    "openWorldHint": judge_by(open_world_hint_set),
}
MODES: dict[str, Judge] = {
    "inputModes": judge_by(input_mode_removed, order_changed),
    "outputModes": judge_by(output_mode_removed, order_changed),
}
_JUDGES: dict[ItemKind, dict[str, Judge]] = {
    ItemKind.TOOL: {
        **_COMMON,
        "annotations": judge_members(_ANNOTATIONS),
        "inputSchema": judge_schema(is_output=False),
        "outputSchema": judge_schema(is_output=True),
    },
    ItemKind.RESOURCE: _COMMON,
    ItemKind.RESOURCE_TEMPLATE: _COMMON,
    ItemKind.PROMPT: {**_COMMON, "arguments": judge_arguments},
    ItemKind.SKILL: {
        **_COMMON,
        **MODES,
        "name": judge_by(title_changed),
        "tags": judge_by(tags_changed),
        "examples": judge_by(skill_examples_changed),
        "security": judge_by(security_scheme_changed),
        "securityRequirements": judge_by(security_scheme_changed),
    },
}


def judge_item(kind: ItemKind, before: JsonObject, after: JsonObject, work: Work) -> set[str]:
    """Judge two items of one name by their members. A member that no rule knows is `unknown`."""
    return judge_members(_JUDGES[kind])(before, after, work)


def judge_skill(before: JsonObject, after: JsonObject, work: Work, defaults: tuple[JsonObject, JsonObject]) -> set[str]:
    """Judge two skills of one id. `defaults` are the modes before and after of a skill that names none."""
    old, new = (without_defaults(respelled(each), _MAY_BE_MISSING) for each in (before, after))
    names = changed_members(old, new)
    if not names and canonical_text(before) != canonical_text(after):
        return {skill_respelled.__name__}
    found: set[str] = set()
    for name in names:
        one, other = (side.get(name, default.get(name)) for side, default in zip((old, new), defaults, strict=True))
        found |= _JUDGES[ItemKind.SKILL].get(name, judge_by())(one, other, work)
    return found or {UNKNOWN}


_MAY_BE_MISSING = frozenset({"tags", "examples", "inputModes", "outputModes"})


def without_defaults(members: JsonObject, names: frozenset[str]) -> JsonObject:
    """Return the members without those of `names` that are false or empty, which ProtoJSON may leave out."""
    return {name: value for name, value in members.items() if value or name not in names}


# The names of their members are the agent's own.
_MAPS = frozenset({"securitySchemes", "security", "schemes", "scopes", "params", "metadata", "header"})


def respelled(value: JsonObject) -> JsonObject:
    """Return a copy of a part of a card with ProtoJSON's lowerCamelCase names (`input_modes` becomes `inputModes`).

    An object in which two members would have one name keeps its names.
    """
    copy: JsonObject = {lower_camel_case(name): member for name, member in value.items()}
    if len(copy) != len(value):
        copy = dict(value)
    return {name: _respelled_member(member, is_map=name in _MAPS) for name, member in copy.items()}


def _respelled_member(value: Json, *, is_map: bool) -> Json:
    if isinstance(value, list):
        return [_respelled_member(each, is_map=is_map) for each in value]
    if not isinstance(value, dict):
        return value
    if not is_map:
        return respelled(value)
    return {name: _respelled_member(member, is_map=False) for name, member in value.items()}
