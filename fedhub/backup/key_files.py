"""The keys of a hub in a backup: the key files, and the key of stored secrets.

SECRET_KEY is not among them. It signs sessions, which a backup does not have, and the digests of recovery codes.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from core.key_files import create_key_file
from fedhub.backup.contents import Head
from fedhub.backup.errors import BackupError
from peers.protocol import ServerIdentity
from peers.services.trust.identity import hub_url
from peers.services.trust.rotation import fingerprint_of

_ENDINGS = ("", ".next", ".previous")


def hub_key_fingerprint() -> str:
    """Return the fingerprint of the key in FEDHUB_KEY_PATH, or "" if the hub has not made one."""
    path = Path(settings.FEDHUB_KEY_PATH)
    if not path.exists():
        return ""
    return fingerprint_of(ServerIdentity.from_key_file(hub_url(), path).signing_key().verification_key)


def saved_keys() -> dict[str, Any]:
    """Return the hub's keys as members of a backup's head: each file with its content and time, and the secrets key."""
    files = {
        name: {"content": base64.b64encode(path.read_bytes()).decode("ascii"), "modified": path.stat().st_mtime_ns}
        for name, path in _paths().items()
        if path.exists()
    }
    return {"files": files, "secrets_key": settings.FEDHUB_SECRETS_KEY}


def check_keys(head: Head, *, accept_new_key: bool) -> None:
    """Raise BackupError if the restored hub would sign for peers with another key than the hub of the backup.

    With `accept_new_key` that is accepted for a backup without keys: then the peers' staff must approve the new key.
    """
    for path, content, _ in _files_of(head):
        if path.exists() and path.read_bytes() != content:
            raise BackupError(f"{path} has another key than the backup. Move this file away, then restore again.")
    if head.keys is None and head.hub_key and not accept_new_key and hub_key_fingerprint() != head.hub_key:
        raise BackupError(
            f"The backup has no keys, and {settings.FEDHUB_KEY_PATH} does not have the key with the fingerprint "
            f"{head.hub_key}. Put this key there; without it the peers refuse what this hub signs. With "
            "--accept-new-key the hub is restored without it, and each peer's staff must approve its new key."
        )


def write_keys(head: Head) -> list[Path]:
    """Write the key files of a backup, with mode 0600 and their times; return those that were missing."""
    written = []
    for path, content, modified in _files_of(head):
        if not path.exists():
            create_key_file(path, content)
            # The time of a key file says when the overlap with the previous key began.
            os.utime(path, ns=(modified, modified))
            written.append(path)
    return written


def secrets_key_of(head: Head) -> str:
    """Return the value of FEDHUB_SECRETS_KEY in a backup, or ""."""
    return str(head.keys["secrets_key"]) if head.keys else ""


def _files_of(head: Head) -> list[tuple[Path, bytes, int]]:
    files = head.keys["files"] if head.keys else {}
    return [
        (path, base64.b64decode(files[name]["content"]), int(files[name]["modified"]))
        for name, path in _paths().items()
        if name in files
    ]


def _paths() -> dict[str, Path]:
    chosen = {"hub_key": Path(settings.FEDHUB_KEY_PATH), "oidc_key": Path(settings.FEDHUB_OIDC_KEY_PATH)}
    return {f"{name}{ending}": Path(f"{path}{ending}") for name, path in chosen.items() for ending in _ENDINGS}
