import time
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from federations.admin.forms import format_tag_filter, format_words, parse_tag_filter, parse_words

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n",:\\ '), max_size=20)


def test_pairs_are_read_as_people_type_them() -> None:
    assert parse_tag_filter(" env:production,  team : platform ") == {"env": "production", "team": "platform"}


def test_a_value_may_hold_colons_and_a_trailing_comma_is_no_pair() -> None:
    assert parse_tag_filter("arn:aws:iam::1,") == {"arn": "aws:iam::1"}


def test_a_key_that_holds_a_colon_is_quoted() -> None:
    assert parse_tag_filter('"aws:cloudformation:stack-name":hub') == {"aws:cloudformation:stack-name": "hub"}


def test_no_text_is_no_filter() -> None:
    assert parse_tag_filter("  ") == {}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("production", "This is none: production"),
        ("env:production, team", "This is none: team"),
        (":production", "This is none: :production"),
        ('"":x', "needs a key"),
        ("env:a, env:b", "The key env is there twice"),
        ('env:"a', 'This is none: env:"a'),
        ('"\\x":a', "no well-formed quoted text"),
    ],
)
def test_what_is_no_pair_is_named(typed: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("\\", "\\\\")):
        parse_tag_filter(typed)


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
def test_a_stored_filter_survives_being_shown_and_saved(pairs: dict[str, str]) -> None:
    assert parse_tag_filter(format_tag_filter(pairs)) == pairs


@given(st.lists(TEXT.filter(bool), unique=True, max_size=4))
def test_stored_tags_survive_being_shown_and_saved(words: list[str]) -> None:
    assert parse_words(format_words(words)) == words


def test_a_tag_typed_twice_counts_once() -> None:
    assert parse_words("b, a, b,") == ["b", "a"]


@pytest.mark.parametrize("parse", [parse_words, parse_tag_filter])
def test_many_spaces_before_an_error_are_refused_at_once(parse: Callable[[str], object]) -> None:
    spaces = " " * 100_000
    begun = time.perf_counter()
    with pytest.raises(ValidationError):
        parse(f'a:b,{spaces}c{spaces}:{spaces}d{spaces}"')
    assert time.perf_counter() - begun < 5
