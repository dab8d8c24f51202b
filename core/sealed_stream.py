"""Encrypts and authenticates a stream of any length with a passphrase, in chunks and in bounded memory.

Theory of operation
-------------------
A file is a header, which is readable, and chunks. The header has the parameters of Argon2id (RFC 9106), which makes 32
bytes of key material from the passphrase and the salt, and a text that the caller may read before the decryption. HKDF
(RFC 5869) derives the key of the chunks from the key material, with the whole header as its `info`: a header that was
changed gives another key, and no chunk decrypts.

The chunks are those of the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance", 2015), as the age format uses it: CHUNK_BYTES of text each, sealed with
ChaCha20-Poly1305 (RFC 8439). The nonce is a counter of 11 bytes and a byte that is 1 for the last chunk alone. So a
chunk that was changed, moved, doubled or taken from another file does not decrypt, a file that ends early has no last
chunk, and a file with more bytes behind its last chunk has that one at the wrong place. The key is used for one file,
because each file has a random salt.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"fedhub-sealed/1\n"
CHUNK_BYTES = 65_536
MIN_PASSPHRASE_CHARS = 12
_TAG_BYTES, _SALT_BYTES, _KEY_BYTES = 16, 16, 32
_MAX_HEADER_BYTES = 4096


class SealedStreamError(Exception):
    """Raised for a file that cannot be opened: another format, a wrong passphrase, an altered or truncated file."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of Argon2id; the defaults are the second recommended option of RFC 9106: 64 MiB, three passes."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 65_536

    def is_bounded(self) -> bool:
        """Tell whether a reader may spend these costs, which stand in a header that is not authenticated yet."""
        return 1 <= self.iterations <= 16 and 1 <= self.lanes <= 16 and 8 * self.lanes <= self.memory_kib <= 1 << 20


DEFAULT_COSTS = Costs()


class SealedWriter:
    """Writes a sealed stream to a binary file; `close` writes the last chunk, and a stream without it is refused."""

    def __init__(self, file: BinaryIO, passphrase: str, *, label: str, costs: Costs = DEFAULT_COSTS) -> None:
        """Write the header with `label`, a text that is readable without the passphrase.

        Raises ValueError for a passphrase of fewer than MIN_PASSPHRASE_CHARS characters.
        """
        if len(passphrase) < MIN_PASSPHRASE_CHARS:
            raise ValueError(f"The passphrase must have at least {MIN_PASSPHRASE_CHARS} characters")
        salt = secrets.token_bytes(_SALT_BYTES)
        header = json.dumps({"salt": salt.hex(), "label": label, **asdict(costs)}, sort_keys=True).encode()
        self._file, self._cipher = file, _cipher(passphrase, salt, costs, header)
        self._waiting, self._number = bytearray(), 0
        file.write(MAGIC + len(header).to_bytes(2, "big") + header)

    def write(self, text: bytes) -> None:
        """Append bytes to the stream."""
        self._waiting += text
        # The last chunk is known only at the end, so one chunk stays here.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(CHUNK_BYTES, is_last=False)

    def close(self) -> None:
        """Write the last chunk; leave the file open."""
        self._seal(len(self._waiting), is_last=True)

    def _seal(self, count: int, *, is_last: bool) -> None:
        text = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._file.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), text, None))
        self._number += 1


@dataclass(frozen=True, slots=True)
class SealedReader:
    """A sealed stream whose header is read; `chunks` decrypts it. `label` is the header's readable text."""

    label: str
    _file: BinaryIO
    _header: bytes
    _salt: bytes
    _costs: Costs

    @classmethod
    def open(cls, file: BinaryIO) -> Self:
        """Read the header; raise SealedStreamError for a file of another format."""
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            raise SealedStreamError("This is not a file that fedhub has sealed, or its first bytes were changed")
        count = int.from_bytes(file.read(2), "big")
        header = file.read(count)
        if not 0 < count == len(header) <= _MAX_HEADER_BYTES:
            raise SealedStreamError("The header of the file is cut or was changed")
        try:
            found = json.loads(header)
            salt = bytes.fromhex(found.pop("salt"))
            label = found.pop("label")
            costs = Costs(**found)
            is_usable = isinstance(label, str) and len(salt) == _SALT_BYTES and costs.is_bounded()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
            raise SealedStreamError("The header of the file was changed") from exc
        if not is_usable:
            raise SealedStreamError("The header of the file was changed")
        return cls(label, file, header, salt, costs)

    def chunks(self, passphrase: str) -> Iterator[bytes]:
        """Yield the text of the chunks in their order; a chunk is yielded after it was authenticated.

        Raises SealedStreamError for a wrong passphrase and for an altered or truncated file. The stream is whole only
        after the iterator has ended.
        """
        try:
            cipher = _cipher(passphrase, self._salt, self._costs, self._header)
        except (ValueError, TypeError, MemoryError) as exc:
            raise SealedStreamError("The header of the file was changed") from exc
        number, sealed = 0, self._file.read(CHUNK_BYTES + _TAG_BYTES)
        while True:
            following = self._file.read(CHUNK_BYTES + _TAG_BYTES)
            yield _opened(cipher, number, sealed, is_last=not following)
            if not following:
                return
            number, sealed = number + 1, following


def _opened(cipher: ChaCha20Poly1305, number: int, sealed: bytes, *, is_last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, is_last=is_last), sealed, None)
    except (InvalidTag, ValueError) as exc:
        if number:
            raise SealedStreamError(f"The file is cut or was changed, in or behind its chunk {number}") from exc
        raise SealedStreamError("The passphrase is wrong, or the file was changed") from exc


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _cipher(passphrase: str, salt: bytes, costs: Costs, header: bytes) -> ChaCha20Poly1305:
    slow = Argon2id(
        salt=salt,
        length=_KEY_BYTES,
        iterations=costs.iterations,
        lanes=costs.lanes,
        memory_cost=costs.memory_kib,
    )
    material = slow.derive(passphrase.encode())
    return ChaCha20Poly1305(HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=header).derive(material))
