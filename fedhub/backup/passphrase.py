"""The passphrase of a backup: from a file, from the environment, or typed."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from core import environment
from core.sealed_stream import MIN_PASSPHRASE_CHARS
from fedhub.backup.errors import BackupError


def find_passphrase(path: Path | None, *, is_new: bool) -> str:
    """Return the passphrase in the file, else FEDHUB_BACKUP_PASSPHRASE, else the one that a person types.

    A new one is typed twice. Raises BackupError if there is none, if the file cannot be read, and for a new one that is
    too short.
    """
    passphrase = _from_file(path) if path else environment.secret("FEDHUB_BACKUP_PASSPHRASE") or _typed(is_new=is_new)
    if is_new and len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise BackupError(f"The passphrase must have at least {MIN_PASSPHRASE_CHARS} characters.")
    return passphrase


def _from_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise BackupError(f"The passphrase cannot be read from {path}: {exc}") from exc


def _typed(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        raise BackupError("Give the passphrase with --passphrase-file or FEDHUB_BACKUP_PASSPHRASE.")
    passphrase = getpass.getpass("Passphrase of the backup: ")
    if is_new and getpass.getpass("The same again: ") != passphrase:
        raise BackupError("The two passphrases differ.")
    return passphrase
