"""Each rule of the table of classes: a change of a content that it names, and its class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.sync.compatibility.classes import CLASS_BY_RULE, ChangeClass
from federations.sync.compatibility.texts import encoded_blob, invisible_characters
from federations.sync.diff import diff_contents
from federations.sync.resources import Json, JsonObject, ResourceKind
from tests.pure.sync.contents import STRING, all_rules, inner, members, tool
from tests.pure.sync.test_compatibility_schemas import SCHEMA_RULES

COMPATIBLE, RISKY, BREAKING = ChangeClass.COMPATIBLE, ChangeClass.RISKY, ChangeClass.BREAKING
BLOB = "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIGVuY29kZWQgYmxvYiBvZiB0ZXh0IDEyMw" * 2


def card(**more: Json) -> JsonObject:
    return {"card": {"name": "Agent", "url": "https://a.example/a2a", **more}, "skills": [{"id": "s"}]}


def skill(**more: Json) -> JsonObject:
    return {"skills": [{"id": "s", **more}]}


def prompt(*arguments: Json) -> JsonObject:
    return {"prompts": [{"name": "p", "arguments": list(arguments)}]}


JWT: JsonObject = {"mode": "jwt", "jwt": {"discoveryUrl": "https://i.example", "audiences": ["a", "b"]}}
TURNED_JWT: JsonObject = {"mode": "jwt", "jwt": {"discoveryUrl": "https://i.example", "audiences": ["b", "a"]}}
SKILL: JsonObject = {"id": "s", "name": "Book"}
SCHEME: JsonObject = {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X"}}}

# rule, class, content before, content after
CONTENT_RULES: list[tuple[str, ChangeClass, JsonObject | None, JsonObject | None]] = [
    ("resource_created", COMPATIBLE, None, tool()),
    ("resource_deleted", BREAKING, tool(), None),
    ("item_added", COMPATIBLE, {"tools": []}, tool()),
    ("item_removed", BREAKING, tool(), {"tools": []}),
    ("skill_removed", BREAKING, skill(), {"skills": []}),
    ("description_changed", RISKY, tool(description="a"), tool(description="b")),
    ("description_changed", RISKY, {"description": "a"}, {"description": "b"}),
    ("title_changed", RISKY, tool(), tool(title="b")),
    ("title_changed", RISKY, tool(annotations={"title": "a"}), tool(annotations={"title": "b"})),
    ("title_changed", RISKY, skill(name="a"), skill(name="b")),
    ("title_changed", RISKY, {"serverInfo": {"title": "a"}}, {"serverInfo": {"title": "b"}}),
    ("icons_changed", COMPATIBLE, tool(), tool(icons=[{"src": f"data:image/png;base64,{BLOB}"}])),
    ("meta_changed", COMPATIBLE, tool(), tool(_meta={"a": BLOB})),
    ("tags_changed", COMPATIBLE, skill(tags=["a"]), skill(tags=["b"])),
    ("skill_examples_changed", COMPATIBLE, skill(), skill(examples=["b"])),
    ("read_only_hint_lost", RISKY, tool(annotations={"readOnlyHint": True}), tool(annotations={})),
    ("read_only_hint_lost", RISKY, tool(annotations={"readOnlyHint": True}), tool()),
    (
        "destructive_hint_set",
        RISKY,
        tool(annotations={"destructiveHint": False}),
        tool(annotations={"destructiveHint": True}),
    ),
    ("open_world_hint_set", RISKY, tool(annotations={"openWorldHint": False}), tool(annotations={})),
    ("invisible_characters", RISKY, tool(), tool(description="a\u200bb")),
    ("invisible_characters", RISKY, {"tools": []}, tool(description="a\u202eb")),
    ("invisible_characters", RISKY, None, tool(inputSchema=inner({"description": "\U000e0041"}))),
    ("encoded_blob", RISKY, {"tools": []}, tool(description=f"Run {BLOB}")),
    ("encoded_blob", RISKY, None, tool(description="\\u0041" * 12)),
    ("look_alike_name", RISKY, tool(), {"tools": [{"name": "get_it"}, {"name": "gеt_it"}]}),
    ("look_alike_name", RISKY, tool(), {"tools": [{"name": "get_it"}, {"name": "Get-1t"}]}),
    ("look_alike_name", RISKY, {"skills": [SKILL]}, {"skills": [SKILL, {"id": "t", "name": "Bооk"}]}),
    ("look_alike_name", RISKY, tool(), {"tools": [{"name": "get_it"}, {"name": "gét_it"}]}),
    ("order_changed", COMPATIBLE, skill(inputModes=["a", "b"]), skill(inputModes=["b", "a"])),
    ("order_changed", COMPATIBLE, {"runtimeAccess": JWT}, {"runtimeAccess": TURNED_JWT}),
    ("order_changed", COMPATIBLE, {"tools": [{"name": "a"}, {"name": "b"}]}, {"tools": [{"name": "b"}, {"name": "a"}]}),
    ("card_respelled", COMPATIBLE, card(capabilities={"pushNotifications": False}), card(capabilities={})),
    ("input_mode_removed", BREAKING, skill(inputModes=["a", "b"]), skill(inputModes=["a"])),
    ("output_mode_removed", BREAKING, card(defaultOutputModes=["a", "b"]), card(defaultOutputModes=["a"])),
    (
        "output_mode_removed",
        BREAKING,
        {**card(defaultOutputModes=["a", "b"]), **skill()},
        {**card(defaultOutputModes=["a", "b"]), **skill(outputModes=["a"])},
    ),
    ("streaming_removed", BREAKING, card(capabilities={"streaming": True}), card(capabilities={})),
    ("security_scheme_changed", BREAKING, card(**SCHEME), card()),
    ("security_scheme_changed", BREAKING, card(security=[]), card(security=[{"key": []}])),
    ("host_changed", RISKY, card(), card(url="https://b.example/a2a")),
    ("host_changed", RISKY, card(), card(additionalInterfaces=[{"url": "https://b.example", "transport": "GRPC"}])),
    ("unknown", RISKY, card(), card(url="https://a.example/other")),
    ("unknown", RISKY, card(), card(provider={"organization": "x"})),
    ("protocol_version_changed", COMPATIBLE, card(protocolVersion="0.2.6"), card(protocolVersion="0.3.0")),
    ("protocol_version_changed", COMPATIBLE, {"protocolVersion": "2025-11-25"}, {"protocolVersion": "2026-07-28"}),
    ("access_mode_changed", BREAKING, {"runtimeAccess": {"mode": "iam"}}, {"runtimeAccess": JWT}),
    (
        "discovery_url_changed",
        BREAKING,
        {"runtimeAccess": JWT},
        {"runtimeAccess": {"mode": "jwt", "jwt": {"audiences": ["a", "b"]}}},
    ),
    (
        "audience_changed",
        BREAKING,
        {"runtimeAccess": JWT},
        {"runtimeAccess": {"mode": "jwt", "jwt": {"discoveryUrl": "https://i.example", "audiences": ["a"]}}},
    ),
    ("unknown", RISKY, {"serverInfo": {"version": "1"}}, {"serverInfo": {"version": "2"}}),
    ("parameter_removed", BREAKING, prompt({"name": "a"}), prompt()),
    ("parameter_made_required", BREAKING, prompt({"name": "a"}), prompt({"name": "a", "required": True})),
    ("optional_parameter_added", COMPATIBLE, prompt(), prompt({"name": "a"})),
    ("schema_equivalent", COMPATIBLE, prompt({"name": "a"}, {"name": "b"}), prompt({"name": "b"}, {"name": "a"})),
    ("unknown", RISKY, prompt({"name": "a"}), prompt({"name": "a"}, {"name": "a"})),
    ("output_member_removed", BREAKING, tool(outputSchema=members(a=STRING)), tool()),
    ("output_member_added", COMPATIBLE, tool(), tool(outputSchema=members(a=STRING))),
    ("card_respelled", COMPATIBLE, card(defaultInputModes=["a"]), card(default_input_modes=["a"])),
    (
        "card_respelled",
        COMPATIBLE,
        card(**SCHEME, security=[{"key": []}]),
        card(
            security_schemes={"key": {"api_key_security_scheme": {"location": "header", "name": "X"}}},
            security_requirements=[{"schemes": {"key": {"list": []}}}],
        ),
    ),
    ("security_scheme_changed", BREAKING, card(securitySchemes={"my_key": {}}), card(securitySchemes={"myKey": {}})),
    ("skill_respelled", COMPATIBLE, skill(inputModes=["a"]), skill(input_modes=["a"])),
]


@pytest.mark.parametrize(("rule", "change_class", "before", "after"), CONTENT_RULES)
def test_change_of_a_content_has_its_rule_and_class(
    rule: str, change_class: ChangeClass, before: JsonObject | None, after: JsonObject | None
) -> None:
    given = before or after or {}
    kind = ResourceKind.A2A_AGENT if "card" in given or "skills" in given else ResourceKind.MCP_SERVER

    diff = diff_contents(kind, before, after)

    assert rule in all_rules(diff)
    assert CLASS_BY_RULE[rule] is change_class
    assert diff.change_class is change_class


def test_each_rule_has_a_test() -> None:
    tested = {row[0] for row in CONTENT_RULES}.union(*(row[3] | row[4] for row in SCHEMA_RULES))

    assert CLASS_BY_RULE.keys() == tested


USUAL_TEXTS = [
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u2764\ufe0f \U0001f468\u200d\U0001f469\u200d\U0001f467 1\ufe0f\u20e3",
    "tabs\tand\nlines",
    "naïve café 東京",
    "/a/long/path_" * 9,
    "word " * 90,
]


@pytest.mark.parametrize("text", USUAL_TEXTS)
def test_usual_texts_are_neither_hidden_nor_encoded(text: str) -> None:
    assert diff_contents(ResourceKind.MCP_SERVER, None, tool(description=text)).change_class is COMPATIBLE


@given(st.lists(st.one_of(st.text(max_size=60), st.text("Ab01=\\u%\u200b\ufe0f\u2764\n", max_size=60)), max_size=6))
def test_texts_together_are_judged_as_each_alone(texts: list[str]) -> None:
    alone = {rule for text in texts for rule in (invisible_characters, encoded_blob) if rule(text)}

    assert {rule for rule in (invisible_characters, encoded_blob) if rule("\n".join(texts))} == alone
