"""The sealed stream: what is written is read again, and each altered, moved, missing or further byte is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from core.sealed_stream import CHUNK_BYTES, MAGIC, Costs, SealedReader, SealedStreamError, SealedWriter

PASSPHRASE = "correct horse battery"
CHEAP = Costs(iterations=1, lanes=1, memory_kib=8)
SEALED_CHUNK = CHUNK_BYTES + 16


def sealed(text: bytes, *, label: str = "a test") -> bytes:
    file = BytesIO()
    writer = SealedWriter(file, PASSPHRASE, label=label, costs=CHEAP)
    for start in range(0, len(text), 50_000):
        writer.write(text[start : start + 50_000])
    writer.close()
    return file.getvalue()


def opened(content: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(SealedReader.open(BytesIO(content)).chunks(passphrase))


@pytest.mark.parametrize("count", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_a_text_of_each_length_is_read_again(count: int) -> None:
    text = bytes(number % 251 for number in range(count))
    content = sealed(text)
    assert opened(content) == text
    assert SealedReader.open(BytesIO(content)).label == "a test"


def test_another_passphrase_and_a_short_one_are_refused() -> None:
    with pytest.raises(SealedStreamError, match="passphrase is wrong"):
        opened(sealed(b"text"), PASSPHRASE + " ")
    with pytest.raises(ValueError, match="at least 12"):
        SealedWriter(BytesIO(), "short", label="")


def test_each_part_of_the_file_that_changes_is_refused() -> None:
    content = sealed(b"x" * (2 * CHUNK_BYTES + 100))
    places = [*range(0, len(content) - 2 * SEALED_CHUNK, 1)][:260]
    start = len(content) - 2 * SEALED_CHUNK - 116
    # The first and last byte of each chunk, of its text and of its tag.
    for chunk in (start, start + SEALED_CHUNK, start + 2 * SEALED_CHUNK):
        places += [chunk, chunk + 50, chunk + 99, chunk + 100, chunk + 115]
    places += [start + CHUNK_BYTES - 1, start + CHUNK_BYTES, start + SEALED_CHUNK - 1, len(content) - 1]
    for place in places:
        for bit in (0x01, 0x80):
            changed = bytearray(content)
            changed[place] ^= bit
            with pytest.raises(SealedStreamError):
                opened(bytes(changed))


def _cuts(content: bytes, start: int) -> Iterator[bytes]:
    first, second = content[start : start + SEALED_CHUNK], content[start + SEALED_CHUNK : start + 2 * SEALED_CHUNK]
    head, last = content[:start], content[start + 2 * SEALED_CHUNK :]
    yield head
    yield head + first
    yield head + first + second
    yield head + first + second + last[:-1]
    yield head + second + first + last
    yield head + first + first + second + last
    yield head + second + last
    yield head + first + last
    yield head + first + second + last + b"\0"
    yield head + first + second + last + last
    yield content[: len(MAGIC)]
    yield content[: start - 1]
    yield b""


def test_a_file_that_is_cut_reordered_or_prolonged_is_refused() -> None:
    content = sealed(bytes(2 * CHUNK_BYTES + 100))
    for number, changed in enumerate(_cuts(content, len(content) - 2 * SEALED_CHUNK - 116)):
        with pytest.raises(SealedStreamError):
            print(number, len(opened(changed)))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"memory_kib": 8', b'"memory_kib": 9'),
        lambda text: text.replace(b'"memory_kib": 8', b'"memory_kib": 99999999'),
        lambda text: text.replace(b'"lanes": 1', b'"lanes": 0'),
        lambda text: text.replace(b'"lanes": 1', b'"lanes": true'),
        lambda text: text.replace(b'"iterations": 1', b'"iterations": 1e9'),
        lambda text: text.replace(b"a test", b"a lie!"),
        lambda text: b"[" * len(text),
        lambda text: b"null",
        lambda text: b"",
    ],
)
def test_a_header_with_other_parameters_is_refused_without_great_costs(change: Callable[[bytes], bytes]) -> None:
    content = sealed(b"text")
    count = int.from_bytes(content[len(MAGIC) : len(MAGIC) + 2], "big")
    start = len(MAGIC) + 2
    header = change(content[start : start + count])
    with pytest.raises(SealedStreamError):
        opened(MAGIC + len(header).to_bytes(2, "big") + header + content[start + count :])
