"""Rows of tags and of key and value pairs: how the form reads them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from federations.admin.list_fields import LINE_BREAKS, PairRow, read_pairs, read_tags

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n",:\\ '), max_size=20)


def shown(text: str) -> str:
    return text.translate(LINE_BREAKS)


@pytest.mark.parametrize(
    ("rows", "tags"),
    [
        ([], []),
        (["production", "payments"], ["production", "payments"]),
        (["production, payments"], ["production", "payments"]),
        ([" b ,, a", "b,", " , "], ["b", "a"]),
    ],
)
def test_tags_are_read_from_rows_and_from_lines(rows: list[str], tags: list[str]) -> None:
    assert read_tags(rows, stored=[]) == tags


def test_a_stored_tag_with_a_comma_stays_one_tag() -> None:
    assert read_tags(["payments, EU", "a, b"], stored=["payments, EU"]) == ["payments, EU", "a", "b"]


@pytest.mark.parametrize(
    ("rows", "pairs"),
    [
        ([], {}),
        ([(" env:production,  team : platform ", "")], {"env": "production", "team": "platform"}),
        ([("env", "production"), ("team:platform", "")], {"env": "production", "team": "platform"}),
        ([(" env ", " production ")], {"env": "production"}),
        ([("aws:cloudformation:stack-name", "hub")], {"aws:cloudformation:stack-name": "hub"}),
        ([("arn:aws:iam::1,", "")], {"arn": "aws:iam::1"}),
        ([("env:", "")], {"env": ""}),
        ([(" ", " ")], {}),
    ],
)
def test_pairs_are_read_from_rows_and_from_lines(rows: list[PairRow], pairs: dict[str, str]) -> None:
    assert read_pairs(rows, stored={}) == pairs


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("production", "")],
            "needs a key and a value for each pair, as in env:production. This part has no value: production",
        ),
        ([("env:production, team", "")], "This part has no value: team"),
        ([(":production", "")], "This part has no key: :production"),
        ([("", "production")], "This part has no key: :production"),
        ([("env:a, env:b", "")], "The tag filter has the key env twice"),
        ([("env", "a"), ("env:b", "")], "The tag filter has the key env twice"),
        ([("env", "a\x00")], "Null characters are not allowed"),
    ],
)
def test_a_wrong_pair_is_refused_by_name(rows: list[PairRow], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_pairs(rows, stored={})


def test_a_tag_with_a_null_character_is_refused() -> None:
    with pytest.raises(ValidationError, match="Null characters are not allowed"):
        read_tags(["a\x00"], stored=[])


@given(st.dictionaries(TEXT.filter(shown), TEXT, max_size=4))
def test_a_stored_filter_survives_being_shown_and_saved(stored: dict[str, str]) -> None:
    rows = {(shown(key), shown(value)): (key, value) for key, value in stored.items()}
    assert read_pairs(rows, stored=stored) == dict(rows.values())


@given(st.lists(TEXT, unique_by=shown, max_size=4))
def test_stored_tags_survive_being_shown_and_saved(stored: list[str]) -> None:
    assert read_tags([shown(tag) for tag in stored], stored=stored) == stored
