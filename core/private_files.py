"""The modes of the hub's files: only the user that runs the hub may open them, in folders that it makes or finds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_UMASK = 0o077
_OF_OTHERS = 0o077


def restrict_umask() -> None:
    """Let each file and folder that this process or a child of it makes be for its own user alone (umask(2))."""
    os.umask(_UMASK)


def make_private_folder(folder: Path) -> None:
    """Make `folder` and its missing parents with mode 0700; leave those that exist as they are. Raises OSError."""
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def create_private_file(path: str | Path, flags: int) -> int:
    """Open `path` as os.open does, and create it with mode 0600; an opener for `open`. Raises OSError."""
    return os.open(path, flags, PRIVATE_FILE)


def restrict_folder(folder: Path) -> None:
    """Take the rights of group and others from `folder` and from all that it holds, if this process's user owns them.

    A missing folder and a shared one (sticky bit, as /tmp has) stay as they are. Links are not followed below
    `folder`. A folder inside that is private already is not searched, because its mode protects its content.
    """
    with suppress(OSError):
        mode = folder.stat().st_mode
        if not stat.S_ISDIR(mode) or mode & stat.S_ISVTX:
            return
        _restrict(folder, folder.stat())
        _restrict_content(folder)


def restrict_files(paths: Iterable[Path]) -> None:
    """Take the rights of group and others from those of `paths` that are files of this process's user."""
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                _restrict(path, status)


def sqlite_files(path: Path) -> list[Path]:
    """Return the file of a SQLite database and the files that SQLite keeps beside it."""
    return [path, *(Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "-journal"))]


def is_open_to_others(path: Path) -> bool:
    """Tell whether group or others have a right on `path`; False if it does not exist."""
    try:
        return bool(path.stat().st_mode & _OF_OTHERS)
    except OSError:
        return False


def _restrict_content(folder: Path) -> None:
    # A file may disappear meanwhile, for example a message of the broker.
    for entry in os.scandir(folder):
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            is_open = status.st_mode & _OF_OTHERS
            if stat.S_ISLNK(status.st_mode) or not is_open:
                continue
            _restrict(Path(entry.path), status)
            if stat.S_ISDIR(status.st_mode):
                _restrict_content(Path(entry.path))


def _restrict(path: Path, status: os.stat_result) -> None:
    if status.st_mode & _OF_OTHERS and status.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(status.st_mode) & ~_OF_OTHERS)
