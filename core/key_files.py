"""The development secret key: made once, kept in a private file."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def development_secret_key(path: Path) -> str:
    """Return the key kept at `path`, made on first use with mode 0600.

    Two processes that start at once agree: the file is linked into place whole, and the loser reads the winner's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64), encoding="ascii")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
