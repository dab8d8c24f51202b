"""A fingerprint in words and as a picture: known vectors, and a difference for each changed byte."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from peers.protocol.errors import InvalidKey
from peers.protocol.fingerprint_forms import fingerprint_bytes, fingerprint_picture, fingerprint_words


def test_words_are_those_of_bip_39() -> None:
    # The vectors of BIP-39 with 256 bits.
    assert fingerprint_words("00" * 32) == ("abandon",) * 23 + ("art",)
    assert fingerprint_words(":".join(["7f"] * 32))[:3] == ("legal", "winner", "thank")
    assert fingerprint_words("ffff " * 16) == ("zoo",) * 23 + ("vote",)


def test_each_bit_changes_the_words_and_the_picture() -> None:
    base = bytes(range(32))
    flipped = [(int.from_bytes(base, "big") ^ (1 << bit)).to_bytes(32, "big") for bit in range(256)]
    numbers = [base, *flipped]
    assert len({fingerprint_words(number.hex()) for number in numbers}) == 257
    assert len({fingerprint_picture(number.hex(), "x") for number in numbers}) == 257


def test_the_picture_is_svg_without_script_or_style() -> None:
    root = ElementTree.fromstring(fingerprint_picture("ab" * 32, 'A "<picture>"'))

    assert root.attrib["aria-label"] == 'A "<picture>"'
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "rect", "g", "path"}
    assert all("style" not in element.attrib for element in root.iter())


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_other_texts_are_no_fingerprint(text: str) -> None:
    with pytest.raises(InvalidKey):
        fingerprint_bytes(text)
