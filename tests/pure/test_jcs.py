"""The canonical JSON of RFC 8785, by the examples of the RFC."""

from __future__ import annotations

import struct

import pytest

from core.jcs import canonical_bytes
from core.malformed_input import MalformedMessage
from core.strict_json import Json

# Appendix B of the RFC: the bits of a double, and its text.
NUMBERS = {
    "0000000000000000": "0", "8000000000000000": "0", "0000000000000001": "5e-324", "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308", "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992", "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22", "44b52d02c7e14af6": "1e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef50": "1e+21", "3eb0c6f7a0b5ed8c": "9.999999999999997e-7", "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332", "41b3de4355555557": "333333333.33333343", "becbf647612f3696":
    "-0.0000033333333333333333", "43143ff3c1cb0959": "1424953923781206.2",
}  # fmt: skip


@pytest.mark.parametrize("bits", NUMBERS)
def test_a_number_is_written_as_ecmascript_writes_it(bits: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number).decode() == NUMBERS[bits]


def test_members_are_sorted_by_utf_16_and_texts_have_the_shortest_escapes() -> None:
    names: Json = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    expected = '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical_bytes(names).decode() == expected
    assert canonical_bytes(['\u20ac$\u000f\nA\'\x42"\\"/', None, True, 1.0, [], {}]).decode() == (
        '["\u20ac$\\u000f\\nA\'B\\"\\\\\\"/",null,true,1,[],{}]'
    )


@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, float("nan"), 10**400])
def test_what_has_no_canonical_text_is_refused(value: Json) -> None:
    with pytest.raises(MalformedMessage):
        canonical_bytes(value)
