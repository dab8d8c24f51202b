"""An answer as HTML: links of declared members alone, escaped, bounded, and the same JSON as was sent."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.api.browsable.answer_html import MAX_HTML_CHARS, show_answer
from core.api.browsable.described import Description
from core.api.browsable.links import Link, link_of

TEXT = {"type": "string"}
SERVER = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "federationId": TEXT,
        "name": TEXT,
        "tools": {"type": "array", "items": {"type": "object", "additionalProperties": {}}},
        "lastSync": {"allOf": [{"$ref": "#/components/schemas/LastSync"}], "nullable": True},
    },
}
DESCRIPTION = Description(
    {
        "paths": {},
        "components": {"schemas": {"Server": SERVER, "LastSync": {"properties": {"jobId": TEXT}}}},
    }
)
RULES = {
    ("Server", "id"): [Link("/servers/{id}")],
    ("Server", "federationId"): [Link("/federations/{federationId}")],
    ("LastSync", "jobId"): [Link("/federations/{id}/jobs/{jobId}")],
}
REFERENCE = {"$ref": "#/components/schemas/Server"}


def shown(value: Any) -> str:
    return show_answer(json.dumps(value), REFERENCE, DESCRIPTION, RULES).html


def addresses(html: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', html)


def text_of(html: str) -> str:
    return unescape(re.sub(r"</?(?:a|b|i)(?: href=\"[^\"]*\")?>", "", html))


def test_declared_ids_lead_to_their_pages() -> None:
    html = shown({"id": "a1", "federationId": "f1", "lastSync": {"jobId": "j1"}})
    assert addresses(html) == ["/servers/a1", "/federations/f1", "/federations/a1/jobs/j1"]
    assert '<a href="/servers/a1">"a1"</a>' in html


def test_what_a_runtime_wrote_has_no_links() -> None:
    written = {"id": "x", "federationId": "y", "url": "https://evil.example", "lastSync": {"jobId": "z"}}
    assert addresses(shown({"name": "n", "tools": [written]})) == []
    assert addresses(show_answer(json.dumps({"id": "x"}), None, DESCRIPTION, RULES).html) == []


@pytest.mark.parametrize("value", ["", ".", "..", None, 7, ["a"], {"a": 1}])
def test_a_value_that_no_path_can_hold_leads_nowhere(value: Any) -> None:
    assert link_of(RULES, "Server", "id", [{"id": value}]) is None
    assert addresses(shown({"id": value})) == []


def test_an_id_cannot_leave_its_place_in_the_address_or_the_html() -> None:
    html = shown({"id": '../../admin/?x="><script>alert(1)</script>', "name": "<img src=x onerror=alert(1)>"})
    assert addresses(html) == ["/servers/..%2F..%2Fadmin%2F%3Fx%3D%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"]
    assert "<script" not in html
    assert "<img" not in html


def test_a_link_can_depend_on_another_member() -> None:
    rules = {("Hit", "id"): [Link("/s/{id}", {"kind": frozenset({"tool"})}), Link("/a/{id}", {"kind": frozenset("a")})]}
    assert link_of(rules, "Hit", "id", [{"id": "1", "kind": "tool"}]) == "/s/1"
    assert link_of(rules, "Hit", "id", [{"id": "1", "kind": "a"}]) == "/a/1"
    assert link_of(rules, "Hit", "id", [{"id": "1", "kind": "other"}]) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_page_shows_the_same_json(value: Any) -> None:
    html = shown(value)
    assert json.loads(text_of(html)) == value


def test_numbers_stay_as_they_were_sent() -> None:
    text = "[1e21,1.0,-0.0,123456789012345678901234567890,1E-7]"
    assert re.sub(r"\s", "", text_of(show_answer(text, None, DESCRIPTION, {}).html)) == text


@pytest.mark.parametrize(
    "value",
    [
        "x" * 2_000_000,
        "<" * 2_000_000,
        ["&" * 1500] * 1400,
        {str(number): number for number in range(150_000)},
        [{"name": "x"}] * 100_000,
        {"k" * 2_000_000: 1},
        10**4000,
    ],
)
def test_an_answer_of_two_megabytes_makes_no_larger_page(value: Any) -> None:
    found = show_answer(json.dumps(value), REFERENCE, DESCRIPTION, RULES)
    assert len(found.html) <= MAX_HTML_CHARS
    assert found.is_cut == (len(json.dumps(value)) > MAX_HTML_CHARS)
    assert len(found.html) > MAX_HTML_CHARS - 20_000 or not found.is_cut
    assert not re.search(r"&\w{0,5}$", found.html)
    assert found.html.count("<b>") == found.html.count("</b>")


def test_deep_values_are_cut_and_not_followed() -> None:
    text = "[" * 900 + "]" * 900
    found = show_answer(text, None, DESCRIPTION, {})
    assert found.is_cut
    assert found.html.count("[") == 60
