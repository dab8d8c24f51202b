"""A file is read strictly: each error with its line and path, all of them together, and no value is guessed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedhub.config_file import yaml_reader
from fedhub.config_file.parse import parse_file
from fedhub.config_file.yaml_reader import MAX_BYTES, UnreadableError, read_yaml
from fedhub.config_file.yaml_writer import write_yaml
from tests.examples import examples

ALL_WRONG = """\
version: 2
federations:
  - name: A
    provider_type: aws
    schedule: {interval_seconds: 0}
    grants:
      - {user: a, level: boss}
      - {level: view}
  - provider: aws_agentcore
    name: x
    name: y
  - name: 7
peers:
  - server_url: https://a.example.org
    outbound_key: hunter2
    fingerprints: [abc]
    review_by: 2026-13-01
  - outbound_key: {env: A, file: b}
  - 3
agents: {}
agnts: []
"""
ERRORS = [
    "line 1: version: this hub reads version 1",
    "line 4: federations[0].provider_type: unknown key; did you mean provider?",
    "line 5: federations[0].schedule.interval_seconds: must be greater than or equal to 1",
    "line 7: federations[0].grants[0].level: must be view, edit or owner",
    "line 8: federations[0].grants[1]: name a user or a group",
    "line 11: federations[1].name: The key stands here a second time; it stands in line 10 already",
    "line 12: federations[2].name: must be a text; put it in quotes",
    "line 15: peers[0].outbound_key: a secret may not stand in the file: write {env: NAME} or {file: PATH}",
    "line 16: peers[0].fingerprints[0]: a fingerprint is 64 hex digits, which blanks or colons may separate",
    "line 17: peers[0].review_by: a day is written as 2026-12-31",
    "line 18: peers[1].outbound_key: name the secret by env or by file",
    "line 18: peers[1].server_url: this key is required",
    "line 19: peers[2]: must be a mapping",
    "line 20: agents: must be a list; write [] for an empty one",
    "line 21: agnts: unknown key; did you mean agents?",
]


def test_all_errors_of_a_file_are_reported_with_line_and_path() -> None:
    found = [str(error) for error in parse_file(ALL_WRONG).errors]

    assert found == ERRORS
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1", "Anchors"),
        ("a: [&x [1, 1], *x]", "Anchors"),
        ("&x a: 1", "A key must"),
        ("a: !!python/object/apply:os.system [x]", "The tag"),
        ("a: !!str x", "The tag"),
        ("? [a]\n: 1", "A key must"),
        ('a: "\\0"', "zero character"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: [", "not YAML"),
        ("a: \x07", "not YAML"),
        ("[" * 40 + "]" * 40, "nested more than"),
        ("x" * (MAX_BYTES + 1), "larger than 4 MiB"),
    ],
)
def test_yaml_beyond_plain_values_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        read_yaml(text)


def test_the_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", 10)
    assert read_yaml("[a, a, a, a, a, a, a, a, a]").value == ["a"] * 9

    with pytest.raises(UnreadableError, match="more than 10 values"):
        read_yaml("[a, a, a, a, a, a, a, a, a, a]")


def test_words_that_yaml_1_1_converts_stay_texts() -> None:
    text = "{a: no, b: 2026-01-31, c: 1:30, d: 0x10, e: 010, f: on, g: '7', h: 7, i: true, j: ~, k: 1.5, l: <<}"

    assert read_yaml(text).value == {
        "a": "no", "b": "2026-01-31", "c": "1:30", "d": "0x10", "e": 10, "f": "on", "g": "7", "h": 7, "i": True,
        "j": None, "k": 1.5, "l": "<<",
    }  # fmt: skip


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@examples(200)
@given(VALUES)
@example(
    {"\x85": ["\u2028", "\u2029", "\ufeff", "a\x85b", "no", "1:30", "=", "<<", "~", "a: b", " a", "a\n", "\r\n\t"]}
)
def test_what_is_written_is_read_as_the_same_values(value: Any) -> None:
    assert read_yaml(write_yaml(value)).value == value
