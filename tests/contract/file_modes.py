"""The modes of the files that a hub has made."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def open_paths(folder: Path) -> list[str]:
    """Return the folder and all in it that group or others may read, write or search, each with its mode."""
    found = []
    for path in (folder, *folder.rglob("*")):
        # A running hub takes messages from its broker meanwhile.
        with suppress(FileNotFoundError):
            mode = os.lstat(path).st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                found.append(f"{stat.filemode(mode)} {path.relative_to(folder)}")
    return sorted(found)
