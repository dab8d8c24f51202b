"""The hub's parser of AWS's times gives what botocore's gives."""

from __future__ import annotations

import pytest
from botocore.utils import parse_timestamp

from federations.providers.agentcore.credentials import new_session


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-29T02:07:37Z",
        "2026-11-29T02:07:37.5Z",
        "2026-11-29T02:07:37.123456789Z",
        "2026-11-29T02:07:37+01:00",
        "20261129T020737Z",
        "Tue, 03 Nov 2026 10:00:00 GMT",
        "1764382057",
        "20261129",
        1764382057,
        1764382057.25,
    ],
)
def test_a_time_is_read_as_botocore_reads_it(value: str | float) -> None:
    parse = new_session().get_component("response_parser_factory").create_parser("rest-json")._timestamp_parser

    assert parse(value) == parse_timestamp(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "T", "yesTerday", "2026-13-01T00:00:00Z"])
def test_a_text_that_is_not_a_time_is_refused(value: str) -> None:
    parse = new_session().get_component("response_parser_factory").create_parser("rest-json")._timestamp_parser

    with pytest.raises(ValueError, match="Invalid timestamp"):
        parse(value)
