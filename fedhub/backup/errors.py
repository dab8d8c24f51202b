"""The error of backups and restores."""

from __future__ import annotations


class BackupError(Exception):
    """Raised for a backup or restore that is refused or has failed; the text says what a person can do."""
