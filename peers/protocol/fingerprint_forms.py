"""A key's fingerprint in words and as a picture, beside the hex digits that people compare.

Each form is made of all 32 bytes, so two keys have the same words, or the same picture, only if they have the same
fingerprint. The words are those of BIP-39, whose English list has 2048 words with different first four letters; 24
words hold the 32 bytes and a checksum of 8 bits. Here they name a public key and are no secret.
"""

from functools import lru_cache
from html import escape

from mnemonic import Mnemonic

from peers.protocol.errors import InvalidKey

FINGERPRINT_BYTES = 32
_COLUMNS, _ROWS = 4, 8
_CELL = 10
# Apart for each kind of color blindness, and on white.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#1f2937")


def fingerprint_bytes(fingerprint: str) -> bytes:
    """Return the 32 bytes of a fingerprint in hex, with any grouping by blanks or colons; raises InvalidKey."""
    try:
        data = bytes.fromhex(fingerprint.replace(":", " "))
    except ValueError as exc:
        raise InvalidKey("the fingerprint is not hex") from exc
    if len(data) != FINGERPRINT_BYTES:
        raise InvalidKey(f"a fingerprint has {FINGERPRINT_BYTES} bytes, this one {len(data)}")
    return data


def fingerprint_words(fingerprint: str) -> tuple[str, ...]:
    """Return the 24 words of a fingerprint (BIP-39), in the order in which people read them aloud."""
    return tuple(_english().to_mnemonic(fingerprint_bytes(fingerprint)).split())


def fingerprint_picture(fingerprint: str, label: str) -> str:
    """Return the picture of a fingerprint as SVG, with `label` as its name for a screen reader.

    The left half has a cell for each byte: two bits are its color, two its shape, two its turn, and two its size. The
    right half mirrors the left one, because people compare symmetrical pictures better.
    """
    width, height = 2 * _COLUMNS * _CELL, _ROWS * _CELL
    half = "".join(_cell(byte, *divmod(number, _COLUMNS)) for number, byte in enumerate(fingerprint_bytes(fingerprint)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}"><rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<g>{half}</g><g transform="matrix(-1 0 0 1 {width} 0)">{half}</g></svg>'
    )


def _cell(byte: int, row: int, column: int) -> str:
    color, shape = _COLORS[byte & 3], byte >> 2 & 3
    turn, size = byte >> 4 & 3, _CELL - 1.5 * (byte >> 6 & 3)
    place = f"translate({column * _CELL} {row * _CELL})"
    middle, low, high = _CELL / 2, (_CELL - size) / 2, (_CELL + size) / 2
    shapes = (
        f"M{low:g} {high:g}V{low:g}A{size:g} {size:g} 0 0 1 {high:g} {high:g}Z",
        f"M{low:g} {high:g}L{low:g} {low:g}L{high:g} {high:g}Z",
        f"M{low:g} {high:g}L{middle:g} {low:g}L{high:g} {high:g}Z",
        f"M{low:g} {high:g}V{low:g}H{high:g}V{middle:g}H{middle:g}V{high:g}Z",
    )
    return f'<path transform="{place} rotate({90 * turn} {middle:g} {middle:g})" fill="{color}" d="{shapes[shape]}"/>'


@lru_cache(maxsize=1)
def _english() -> Mnemonic:
    return Mnemonic("english")
