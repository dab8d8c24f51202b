"""Private key files: each is made once, with mode 0600, and appears whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from core.private_files import create_private_file, make_private_folder


def create_key_file(path: Path, content: bytes) -> None:
    """Write `content` to a new file at `path` with mode 0600; leave an existing file as it is.

    The content goes to a draft beside `path` and to the disk, then the draft is linked into place, so that the file
    appears whole or not at all. Of several processes that start at once one links first; every caller reads the file
    at `path` afterwards and so uses the key of that process. Raises OSError.
    """
    make_private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    # O_EXCL follows no link, and the mode holds from the first byte on.
    descriptor = create_private_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def development_secret_key(path: Path) -> str:
    """Return the secret key in the file at `path`; make the file on first use."""
    if not path.exists():
        create_key_file(path, secrets.token_urlsafe(64).encode("ascii"))
    return path.read_text(encoding="ascii").strip()


def _sync_folder(folder: Path) -> None:
    # Else a power failure may take back the name of a key that other hubs have seen already.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
