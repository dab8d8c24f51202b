"""The JSON reader: the accepted bodies, and the refused bodies with their messages."""

from __future__ import annotations

import io
from typing import Any

import pytest

from core.api.errors import BadRequestError, PayloadTooLargeError
from core.api.parsers import StrictJSONParser, parse_body


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, -2.5e3, true, null, "\\u00e9"]}', {"a": [1, -2500.0, True, None, "é"]}),
        ('{"é": "\\ud83d\\ude00"}'.encode(), {"é": "😀"}),
        (b" \n{}\t", {}),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[" * 32 + b"]" * 32, None),
    ],
)
def test_json_within_the_rules_is_read(body: bytes, value: Any) -> None:
    read = parse_body(body, max_bytes=1_048_576)
    assert value is None or read == value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request body is not JSON: Expecting value (line 1, column 1)"),
        (b'{"a": }', "The request body is not JSON: Expecting value (line 1, column 7)"),
        (b'{"a": 1} x', "The request body is not JSON: Extra data (line 1, column 10)"),
        (
            b"{'a': 1}",
            "The request body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)",
        ),
        (b'{"a": NaN}', "The request body is not JSON: NaN is not a JSON value"),
        (b'{"a": -Infinity}', "The request body is not JSON: -Infinity is not a JSON value"),
        (b'{"a": 1e999}', "The request body has a number that is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "The request body has a number that is too large"),
        (b'{"a": 9223372036854775808}', "The request body has a number that is too large"),
        (b'{"a": [-9223372036854775809]}', "The request body has a number that is too large"),
        (b'{"dryRun": true, "dryRun": false}', "dryRun: this name appears twice in one object"),
        (b'{"a": {"b": 1, "b": 1}}', "b: this name appears twice in one object"),
        (b'{"a": "\xff"}', "The request body is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "The request body is not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', None),
        (b"[" * 33 + b"1" + b"]" * 33, "The request body is nested deeper than 32 levels"),
        (b"[" * 400_000, "The request body is nested deeper than 32 levels"),
        (b'{"a":' * 100_000, "The request body is nested deeper than 32 levels"),
        (b'{"displayName": "a\\u0000b"}', "displayName: NUL characters and unpaired surrogates are not allowed"),
        (b'{"tags": ["ok", "\\ud800"]}', "tags[1]: NUL characters and unpaired surrogates are not allowed"),
        (
            b'{"providerConfig": {"resourceTagsFilter": {"env": "\\u0000"}}}',
            "providerConfig.resourceTagsFilter.env: NUL characters and unpaired surrogates are not allowed",
        ),
        (b'{"a\\u0000": 1}', "The request body: NUL characters and unpaired surrogates are not allowed"),
    ],
)
def test_json_outside_the_rules_is_refused(body: bytes, message: str | None) -> None:
    with pytest.raises(BadRequestError) as refused:
        parse_body(body, max_bytes=1_048_576)
    if message is not None:
        assert str(refused.value.detail) == message


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert StrictJSONParser().parse(io.BytesIO(b'"12345678"')) == "12345678"
    with pytest.raises(PayloadTooLargeError, match="larger than 10 bytes"):
        StrictJSONParser().parse(io.BytesIO(b'"123456789"'))
