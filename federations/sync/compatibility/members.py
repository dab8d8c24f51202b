"""How the members of an object are judged: a table gives each member the rules that may name its change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from federations.sync.compatibility.classes import UNKNOWN, canonical_text, compatible
from federations.sync.compatibility.schemas import compare_schemas
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json, JsonObject

MemberRule = Callable[[Json, Json], bool]
Judge = Callable[[Json, Json, Work], set[str]]
"""A function from the value before, the value after (None if the member is missing) and the work to the rules."""


@compatible
def schema_equivalent(before: Json, after: Json) -> bool:
    """The schema is written in another way, and accepts the same values with the same texts."""
    return canonical_text(before) != canonical_text(after)


def judge_by(*rules: MemberRule) -> Judge:
    """Return the judge that names the rules which hold, and `unknown` if none holds."""

    def judge(before: Json, after: Json, work: Work) -> set[str]:
        return {rule.__name__ for rule in rules if rule(before, after)} or {UNKNOWN}

    return judge


def judge_members(judges: Mapping[str, Judge]) -> Judge:
    """Return the judge of an object, which judges each member that differs. A member without a judge is `unknown`."""

    def judge(before: Json, after: Json, work: Work) -> set[str]:
        old, new = {} if before is None else before, {} if after is None else after
        if not isinstance(old, dict) or not isinstance(new, dict):
            return {UNKNOWN}
        found: set[str] = set()
        for name in changed_members(old, new):
            found |= judges.get(name, judge_by())(old.get(name), new.get(name), work)
        return found or {UNKNOWN}

    return judge


def changed_members(before: JsonObject, after: JsonObject) -> list[str]:
    """Return the names of the members that differ, in the order of `before`, then those that only `after` has."""
    names = dict.fromkeys([*before, *after])
    return [
        name
        for name in names
        if name not in before or name not in after or canonical_text(before[name]) != canonical_text(after[name])
    ]


def judge_schema(*, is_output: bool) -> Judge:
    """Return the judge of a tool's `inputSchema` or `outputSchema`. MCP's root schemas are for objects."""

    def judge(before: Json, after: Json, work: Work) -> set[str]:
        old, new = _object_schema(before), _object_schema(after)
        if old is None or new is None:
            return {UNKNOWN}
        found = compare_schemas(old, new, is_output=is_output, work=work)
        return found or judge_by(schema_equivalent)(before, after, work)

    return judge


def _object_schema(schema: Json) -> JsonObject | None:
    if schema is None:
        return {"type": "object"}
    return {"type": "object", **schema} if isinstance(schema, dict) else None


def judge_arguments(before: Json, after: Json, work: Work) -> set[str]:
    """Judge the arguments of a prompt as the parameters of a tool, by their names."""
    old, new = _arguments_schema(before), _arguments_schema(after)
    if old is None or new is None:
        return {UNKNOWN}
    return compare_schemas(old, new, is_output=False, work=work) or judge_by(schema_equivalent)(before, after, work)


def _arguments_schema(arguments: Json) -> JsonObject | None:
    """Return the schema of an object with the arguments as members; None for a list with another form."""
    if arguments is None:
        arguments = []
    if not isinstance(arguments, list):
        return None
    members: dict[str, Json] = {}
    required: list[Json] = []
    for argument in arguments:
        if not isinstance(argument, dict):
            return None
        name = argument.get("name")
        if not isinstance(name, str) or name in members or not isinstance(argument.get("required", False), bool):
            return None
        texts: JsonObject = {each: argument[each] for each in ("title", "description") if each in argument}
        others: JsonObject = {
            f"argument:{each}": value for each, value in argument.items() if each not in _ARGUMENT_MEMBERS
        }
        members[name] = {"type": "string", **texts, **others}
        if argument.get("required"):
            required.append(name)
    return {"type": "object", "properties": members, "required": required}


_ARGUMENT_MEMBERS = frozenset({"name", "title", "description", "required"})


def lower_camel_case(name: str) -> str:
    """Return ProtoJSON's name of a member: `defaultInputModes` for `default_input_modes`."""
    first, *others = name.split("_")
    return first + "".join(each[:1].upper() + each[1:] for each in others) if first else name
