"""The difference of two contents: items are matched by name, nothing is lost, and no content makes it fail."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.sync.compatibility.classes import CLASS_BY_RULE, ChangeClass
from federations.sync.diff import ContentDiff, FieldChange, ItemChange, diff_contents
from federations.sync.resources import Json, JsonObject, ResourceKind
from tests.examples import examples
from tests.pure.sync.contents import all_rules
from tests.pure.sync.contents import tool as tools_with

MCP, A2A = ResourceKind.MCP_SERVER, ResourceKind.A2A_AGENT
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NAMES = st.sampled_from(["pay", "pay_now", "Pay", "раy", ""])
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0, 1e21]) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXTS | st.sampled_from(["type", "properties", "items", "$ref", "anyOf", "required", "name", "url"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ITEMS = st.lists(
    JSON
    | st.fixed_dictionaries(
        {"name": NAMES | JSON},
        optional={
            "uri": NAMES,
            "uriTemplate": NAMES,
            "id": NAMES,
            "description": TEXTS,
            "inputSchema": JSON,
            "outputSchema": JSON,
            "annotations": JSON,
            "arguments": JSON,
            "inputModes": JSON,
        },
    ),
    max_size=4,
)
CARDS = st.dictionaries(
    st.sampled_from(
        [
            *("url", "name", "skills", "capabilities", "securitySchemes", "security", "supportedInterfaces"),
            *(
                "supported_interfaces",
                "additionalInterfaces",
                "protocolVersion",
                "defaultInputModes",
                "securityRequirements",
            ),
            *("default_input_modes", "supportsAuthenticatedExtendedCard", "preferredTransport"),
        ]
    ),
    JSON | ITEMS,
    max_size=5,
)
CONTENTS = {
    MCP: st.fixed_dictionaries(
        {"description": TEXTS | JSON, "tools": ITEMS | JSON},
        optional={
            "resources": ITEMS,
            "resourceTemplates": ITEMS,
            "prompts": ITEMS,
            "capabilities": JSON,
            "serverInfo": JSON,
            "protocolVersion": JSON,
            "runtimeAccess": JSON,
        },
    ),
    A2A: st.fixed_dictionaries(
        {"description": TEXTS | JSON, "card": CARDS | JSON}, optional={"skills": ITEMS | JSON, "runtimeAccess": JSON}
    ),
}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[ResourceKind, JsonObject, JsonObject]:
    kind = draw(st.sampled_from([MCP, A2A]))
    return kind, draw(CONTENTS[kind]), draw(CONTENTS[kind])


def places(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of each member and item of `value`, itself left out."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, inner in steps for place in ((*path, step), *places(inner, (*path, step)))]


def mutated(value: JsonObject, path: tuple[str | int, ...], new: Json, *, is_removed: bool) -> JsonObject:
    """Return a copy of `value` with another value, or nothing, at `path`."""
    copy = deepcopy(value)
    place: Json = copy
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    if is_removed:
        del place[path[-1]]  # type: ignore[union-attr, arg-type]
    else:
        place[path[-1]] = new  # type: ignore[index]
    return copy


@examples(100)
@given(pairs())
def test_equal_contents_give_no_change(given_pair: tuple[ResourceKind, JsonObject, JsonObject]) -> None:
    kind, content, _ = given_pair
    reordered = dict(reversed(deepcopy(content).items()))

    assert diff_contents(kind, content, reordered) == ContentDiff()


def test_a_removed_empty_card_is_a_change() -> None:
    assert diff_contents(ResourceKind.A2A_AGENT, {"card": {}}, {}).fields
    assert not diff_contents(ResourceKind.A2A_AGENT, {"card": {}}, {"card": {}}).fields


@examples(300)
@given(pairs(), st.data())
def test_mutation_of_any_member_gives_a_change(
    given_pair: tuple[ResourceKind, JsonObject, JsonObject], data: st.DataObject
) -> None:
    kind, content, _ = given_pair
    path = data.draw(st.sampled_from(places(content)))
    after = mutated(content, path, data.draw(JSON), is_removed=data.draw(st.booleans()))

    diff = diff_contents(kind, content, after)

    is_changed = repr(content) != repr(after)
    assert bool(diff.fields or diff.items) is is_changed
    assert bool(all_rules(diff)) is is_changed


@examples(200)
@given(pairs())
def test_any_two_contents_have_a_diff_with_known_rules(
    given_pair: tuple[ResourceKind, JsonObject, JsonObject],
) -> None:
    kind, before, after = given_pair

    diff = diff_contents(kind, before, after)

    assert all_rules(diff) <= CLASS_BY_RULE.keys()
    assert all(item.rules for item in diff.items)
    assert all(item.change_class is worst(item.rules) for item in diff.items)
    assert diff.change_class is worst([*all_rules(diff)])


@examples(100)
@given(pairs())
def test_diff_of_two_contents_is_symmetric_in_created_and_deleted(
    given_pair: tuple[ResourceKind, JsonObject, JsonObject],
) -> None:
    kind, before, after = given_pair

    there, back = diff_contents(kind, before, after), diff_contents(kind, after, before)

    assert names(there, "create") == names(back, "delete")
    assert names(there, "delete") == names(back, "create")
    assert names(there, "update") == names(back, "update")
    assert {turned(change) for change in map(repr_of, there.fields)} == set(map(repr_of, back.fields))


@examples(100)
@given(pairs())
def test_created_and_deleted_resources_show_all_of_their_content(
    given_pair: tuple[ResourceKind, JsonObject, JsonObject],
) -> None:
    kind, content, _ = given_pair

    created, deleted = diff_contents(kind, None, content), diff_contents(kind, content, None)

    assert {item.action for item in created.items} <= {"create"}
    assert {item.action for item in deleted.items} <= {"delete"}
    assert names(created, "create") == names(deleted, "delete")
    assert {turned(change) for change in map(repr_of, created.fields)} == set(map(repr_of, deleted.fields))
    assert "resource_created" in created.rules
    assert deleted.rules[-1:] == ("resource_deleted",)
    assert deleted.change_class is ChangeClass.BREAKING
    for name, kind_of_item in (("tools", "tool"), ("prompts", "prompt")):
        listed = content.get(name)
        if kind is MCP and isinstance(listed, list):
            assert sum(item.kind == kind_of_item for item in created.items) == len(listed)


ITEM_LISTS: tuple[tuple[ResourceKind, str, str], ...] = (
    (MCP, "tools", "name"),
    (MCP, "resources", "uri"),
    (MCP, "resourceTemplates", "uriTemplate"),
    (MCP, "prompts", "name"),
    (A2A, "skills", "id"),
)
KNOWN_MEMBERS: frozenset[str] = frozenset(
    {"name", "uri", "id", "title", "icons", "tags", "_meta", "examples", "example", "default", "type", "url"}
)


@examples(100)
@given(st.text(min_size=1, max_size=8), JSON, JSON)
def test_member_that_no_rule_knows_is_unknown(name: str, before: Json, after: Json) -> None:
    if name in KNOWN_MEMBERS or repr(before) == repr(after):
        return
    for kind, list_name, identity in ITEM_LISTS:
        old: JsonObject = {list_name: [{identity: "x", name: before}]}
        new: JsonObject = {list_name: [{identity: "x", name: after}]}
        (item,) = diff_contents(kind, old, new).items
        assert "unknown" in item.rules
    old, new = (tools_with(inputSchema={"type": "object", name: value}) for value in (before, after))
    (item,) = diff_contents(MCP, old, new).items
    assert "unknown" in item.rules
    assert "unknown" in diff_contents(MCP, {name: before}, {name: after}).rules
    assert "unknown" in diff_contents(A2A, {"card": {name: before}}, {"card": {name: after}}).rules


def test_items_are_matched_by_their_name_and_not_by_their_place() -> None:
    before: JsonObject = {"tools": [tool("a"), tool("b", description="old"), tool("c")]}
    after: JsonObject = {"tools": [tool("b", description="new"), tool("d"), tool("a")]}

    items = diff_contents(MCP, before, after).items

    assert [(item.name, item.action) for item in items] == [("b", "update"), ("c", "delete"), ("d", "create")]
    assert items[0].fields == (FieldChange("description", "old", "new"),)


def test_items_of_one_name_are_all_kept() -> None:
    before: JsonObject = {"tools": [tool("a", description="1"), tool("a", description="2")]}
    after: JsonObject = {"tools": [tool("a", description="2"), tool("a", description="3"), tool("a", description="4")]}

    items = diff_contents(MCP, before, after).items

    assert [(item.action, item.fields[-1].after) for item in items] == [("update", "3"), ("create", "4")]
    assert "look_alike_name" in items[1].rules


def test_other_order_of_items_is_a_compatible_change_of_the_list() -> None:
    before: JsonObject = {"tools": [tool("a"), tool("b")]}

    diff = diff_contents(MCP, before, {"tools": [tool("b"), tool("a")]})

    assert diff.fields == (FieldChange("tools", ["a", "b"], ["b", "a"]),)
    assert diff.rules == ("order_changed",)
    assert diff.change_class is ChangeClass.COMPATIBLE


def test_list_of_another_type_is_a_field_and_its_items_are_deleted() -> None:
    diff = diff_contents(MCP, {"tools": [tool("a")]}, {"tools": "none"})

    assert [(item.name, item.action) for item in diff.items] == [("a", "delete")]
    assert diff.fields == (FieldChange("tools", [tool("a")], "none"),)
    assert diff.rules == ("unknown",)


def test_items_without_a_name_are_compared_too() -> None:
    diff = diff_contents(MCP, {"tools": [1, {"title": "x"}]}, {"tools": [1, {"title": "y"}, None]})

    assert [(item.name, item.action) for item in diff.items] == [("", "update"), ("", "create")]


def test_members_of_a_card_are_fields_of_the_agent() -> None:
    before: JsonObject = {
        "card": {"url": "https://a.example", "name": "x", "skills": [{"id": "s"}]},
        "skills": [{"id": "s"}],
    }
    after: JsonObject = {
        "card": {"url": "https://b.example", "name": "x", "skills": [{"id": "s"}]},
        "skills": [{"id": "s"}],
    }

    diff = diff_contents(A2A, before, after)

    assert diff.fields == (FieldChange("card.url", "https://a.example", "https://b.example"),)
    assert diff.rules == ("host_changed",)
    assert diff.items == ()


def test_skill_that_differs_in_the_served_card_alone_is_an_item() -> None:
    before: JsonObject = {"card": {"skills": [{"id": "s", "examples": [{"text": "x"}]}]}, "skills": [{"id": "s"}]}
    after: JsonObject = {"card": {"skills": [{"id": "s", "examples": [{"text": "y"}]}]}, "skills": [{"id": "s"}]}

    diff = diff_contents(A2A, before, after)

    assert [(item.name, item.rules) for item in diff.items] == [("s", ("skill_examples_changed",))]
    assert diff.fields == ()


@pytest.mark.parametrize("kind", [MCP, A2A])
def test_two_missing_contents_do_not_differ(kind: ResourceKind) -> None:
    assert diff_contents(kind, None, None) == ContentDiff()


def tool(name: str, **members: Json) -> JsonObject:
    return {"name": name, **members}


def worst(rules: list[str] | tuple[str, ...]) -> ChangeClass:
    order = [ChangeClass.COMPATIBLE, ChangeClass.RISKY, ChangeClass.BREAKING]
    return max((CLASS_BY_RULE[rule] for rule in rules), key=order.index, default=ChangeClass.COMPATIBLE)


def names(diff: ContentDiff, action: str) -> list[tuple[str, str]]:
    return sorted((item.kind, item.name) for item in diff.items if item.action == action)


def repr_of(change: FieldChange | ItemChange) -> tuple[str, str, str]:
    assert isinstance(change, FieldChange)
    return change.field, repr(change.before), repr(change.after)


def turned(change: tuple[str, str, str]) -> tuple[str, str, str]:
    name, before, after = change
    return name, after, before
