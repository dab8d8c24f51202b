"""Filters, pages and commands of the API's pages."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.api.browsable.advice import advice
from core.api.browsable.controls import KNOWN_VALUES, Paging, controls, paging
from core.api.browsable.curl import curl_command
from core.api.browsable.prose import prose


def parameter(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, **more}


def test_each_kind_of_parameter_has_its_control() -> None:
    found = controls(
        [
            parameter("page", {"type": "integer"}),
            parameter("per_page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            parameter("status", {"type": "string", KNOWN_VALUES: ["READY"]}),
            parameter("hasError", {"type": "string", "enum": ["true", "false"]}),
            parameter("kind", {"type": "array", "items": {"type": "string", "enum": ["tool"]}}),
            parameter("tags", {"type": "array", "items": {"type": "string", "maxLength": 500}}),
            parameter("query", {"type": "string", "maxLength": 500}, required=True, description="Words, `as` <b>."),
            parameter("keyword", {"type": "string"}, deprecated=True),
            parameter("pageSize", {"type": "integer"}, deprecated=True),
        ],
        {"status": ["ODD"], "tags": ["a", "b"], "pageSize": ["7"]},
    )
    kinds = {each.name: each.kind for each in found}
    assert kinds == {
        "query": "text", "tags": "texts", "kind": "checks", "status": "select", "hasError": "select",
        "per_page": "number", "pageSize": "number",
    }  # fmt: skip
    by_name = {each.name: each for each in found}
    assert found[0].name == "query"
    assert by_name["query"].help == "Words, <code>as</code> &lt;b&gt;."
    assert by_name["status"].options == ("READY", "ODD")
    assert by_name["tags"].inputs == ("a", "b", "")
    assert by_name["per_page"].limits == {"min": 1, "max": 100, "placeholder": 20}


def pages(page: int, total: int) -> dict[str, Any]:
    return {"pagination": {"total": total, "page": page, "perPage": 20, "totalPages": -(-total // 20)}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (pages(1, 0), Paging("Nothing found")),
        (pages(1, 7), Paging("Page 1 of 1 (7 in all)")),
        (
            pages(3, 20_000),
            Paging("Page 3 of 1,000 (20,000 in all)", "/x?tag=a&tag=b&page=1", "/x?tag=a&tag=b&page=2",
                   "/x?tag=a&tag=b&page=4", "/x?tag=a&tag=b&page=1000"),
        ),
        (pages(9, 40), Paging("Page 9 of 2 (40 in all)", "/x?tag=a&tag=b&page=1", "/x?tag=a&tag=b&page=2")),
        ({"agents": [], "next_cursor": "a=="}, Paging("More follow", next="/x?tag=a&tag=b&page=3&cursor=a%3D%3D")),
        ({"id": "1"}, None),
        ([], None),
    ],
)  # fmt: skip
def test_a_list_leads_to_its_other_pages_with_the_same_filters(answer: Any, expected: Paging | None) -> None:
    assert paging(answer, "/x", {"tag": ["a", "b"], "page": ["3"]}) == expected


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), st.sampled_from(["GET", "PUT"]))
def test_a_shell_reads_the_command_as_it_was_meant(text: str, method: str) -> None:
    words = shlex.split(curl_command(method, f"http://h/{text}", body=text, headers={"Prefer": text}))
    assert [word for word in words if word != "\n"][-1] == f"http://h/{text}"
    assert words[words.index("-d") + 1] == text
    assert f"Prefer: {text}" in words


def test_every_error_has_advice() -> None:
    for status in (400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 422, 429, 500, 501, 502, 503):
        assert advice(status, scope="a", scopes=frozenset(), methods="POST") is not None
    assert advice(202, scope="a", scopes=frozenset(), methods="POST") is None
    refused = advice(403, scope="a", scopes=frozenset(), methods="GET")
    allowed = advice(403, scope="a", scopes=frozenset({"a"}), methods="GET")
    assert refused is not None and "the scope a" in refused.text
    assert allowed is not None and "scope" not in allowed.text
    waits = advice(429, scope=None, scopes=frozenset(), methods="GET", wait="9")
    assert waits is not None and waits.text.endswith("Wait 9 s.")


def test_prose_marks_code_and_escapes_the_rest() -> None:
    assert prose("`a<b` & 'c'") == "<code>a&lt;b</code> &amp; &#x27;c&#x27;"
