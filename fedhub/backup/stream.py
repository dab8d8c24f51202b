"""The lines of a backup: compressed, sealed, written and read in bounded memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.sealed_stream import DEFAULT_COSTS, Costs, SealedReader, SealedStreamError, SealedWriter
from fedhub.backup.errors import BackupError

_LEVEL = 3  # half of the time of zlib's default, for a few percent more bytes
_PIECE_BYTES = 1 << 20


class LineWriter:
    """Writes lines of a backup to a binary file."""

    def __init__(self, file: BinaryIO, passphrase: str, *, label: str, costs: Costs = DEFAULT_COSTS) -> None:
        """Begin the file. Raises ValueError for a passphrase that is too short."""
        self._sealed = SealedWriter(file, passphrase, label=label, costs=costs)
        self._packer = zlib.compressobj(_LEVEL)

    def write(self, value: object) -> None:
        """Write a JSON value as a line."""
        self.write_text(json.dumps(value, separators=(",", ":")))

    def write_text(self, text: str) -> None:
        """Write the text of a JSON value, which has no line break, as a line."""
        self._sealed.write(self._packer.compress(text.encode("ascii") + b"\n"))

    def close(self) -> None:
        """End the file; a file without its end is refused."""
        self._sealed.write(self._packer.flush())
        self._sealed.close()


def read_lines(file: BinaryIO, passphrase: str) -> Iterator[Any]:
    """Yield the JSON values of the lines of a backup, as they are decrypted.

    Raises BackupError for another file, a wrong passphrase, an altered or truncated file.
    """
    rest = bytearray()
    try:
        for piece in _unpacked(file, passphrase):
            *lines, end = piece.split(b"\n")
            if lines:
                yield json.loads(rest + lines[0])
                for line in lines[1:]:
                    yield json.loads(line)
                rest.clear()
            rest += end
    except (SealedStreamError, zlib.error, ValueError) as exc:
        raise BackupError(f"{str(exc).rstrip('.')}.") from exc
    if rest:
        raise BackupError("The file ends within a line.")


def _unpacked(file: BinaryIO, passphrase: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for chunk in SealedReader.open(file).chunks(passphrase):
        waiting = chunk
        while waiting:
            yield unpacker.decompress(waiting, _PIECE_BYTES)
            waiting = unpacker.unconsumed_tail
    yield unpacker.flush()
    if not unpacker.eof or unpacker.unused_data:
        raise SealedStreamError("The file is cut")
