"""The check of listed items: whatever is wrong with one item, the others are kept as served."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.providers.agentcore.mcp_items import ItemRule, check_items

RULES = {
    "tool": ItemRule("tool", "name"),
    "resource": ItemRule("resource", "uri"),
    "resource_template": ItemRule("resource_template", "uriTemplate"),
    "prompt": ItemRule("prompt", "name"),
}
VALID: dict[str, dict[str, Any]] = {
    "tool": {
        "name": "find",
        "title": "Find",
        "description": "finds",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        "outputSchema": {"type": "object"},
        "annotations": {"title": "Find it", "readOnlyHint": True},
        "icons": [{"src": "https://a.example/i.png", "sizes": ["48x48"]}],
        "execution": {"taskSupport": "optional"},
        "_meta": {"a": 1},
    },
    "resource": {
        "uri": "file:///a",
        "name": "a",
        "title": "A",
        "description": "d",
        "mimeType": "text/plain",
        "size": 5,
        "annotations": {"audience": ["user"], "priority": 0.5},
    },
    "resource_template": {"uriTemplate": "file:///{a}", "name": "a", "mimeType": "text/plain", "annotations": {}},
    "prompt": {"name": "greet", "description": "d", "arguments": [{"name": "who", "required": True}]},
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each member of `value`, at every level."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, member in members for found in [(*path, key), *paths(member, (*path, key))]]


def put(item: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> Any:
    changed = copy.deepcopy(item)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


def same(left: object, right: object) -> bool:
    """Compare as JSON, so that True and 1 differ and NaN equals itself."""
    return json.dumps(left) == json.dumps(right)


@pytest.mark.parametrize("kind", VALID)
@given(data=st.data())
def test_a_changed_member_never_loses_another_item(kind: str, data: st.DataObject) -> None:
    valid, rule = VALID[kind], RULES[kind]
    path = data.draw(st.sampled_from(paths(valid)))
    changed = put(valid, path, data.draw(ANY_JSON), remove=data.draw(st.booleans()))
    others = [{**valid, rule.key: f"other {number}"} for number in range(3)]
    place = data.draw(st.integers(0, 3))
    kept, warnings = check_items([*others[:place], changed, *others[place:]], rule, "r-1", 1000)
    is_left_out = len(warnings) == 1
    assert [item for item in kept if str(item[rule.key]).startswith("other ")] == others
    assert len(kept) + len(warnings) == 4
    if not is_left_out:
        assert same({**changed, "name": kept[place]["name"]}, kept[place])
    else:
        has_key = isinstance(changed.get(rule.key), str)
        assert not has_key or not is_storable(changed) or len(json.dumps(changed)) > 900


def is_storable(value: Any) -> bool:
    """Tell whether a value is JSON that a store holds: finite numbers, no NUL and no lone surrogate."""
    if isinstance(value, dict | list):
        return all(map(is_storable, [*value, *(value.values() if isinstance(value, dict) else ())]))
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("kind", VALID)
@given(item=ANY_JSON)
def test_any_json_in_place_of_an_item_never_loses_another_one(kind: str, item: Any) -> None:
    kept, warnings = check_items([VALID[kind], item, VALID[kind]], RULES[kind], "r-1", 1000)
    assert kept[0] == kept[-1] == VALID[kind]
    assert len(kept) + len(warnings) == 3
    assert all(len(warning.message) <= 500 and warning.message.isprintable() for warning in warnings)


def test_the_bound_of_a_schema_is_its_compact_utf8() -> None:
    exact: dict[str, Any] = {"name": "a", "inputSchema": {"a": "é" * 10}}
    size = len('{"a":""}') + 20
    assert check_items([exact], RULES["tool"], "r-1", size)[0] == [exact]
    assert check_items([exact], RULES["tool"], "r-1", size - 1)[0] == []


def test_the_name_in_a_warning_is_clean_and_short() -> None:
    _, (warning,) = check_items([{"name": "a\x1b[31m\n" + "b" * 900, "x": math.nan}], RULES["tool"], "r-1", 1000)
    assert warning.name.startswith("a [31m b")
    assert (len(warning.name), len(warning.message)) == (500, 500)
