"""Replaces the key of the hub's tokens for runtimes in two steps, so that verifiers know the next key before it signs.

The first step makes the next key and publishes it in the JWK Set. The second step signs with it, and keeps the previous
key published for KEY_OVERLAP, in which the tokens that it signed expire. Running processes check the files' times, so
they follow without a restart. Replicas that do not share a file system need copies of the files.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

from core.errors import ConflictError
from core.key_files import create_key_file
from core.oidc.signing_key import OidcKey, load_existing, load_or_create, make_pem

KEY_OVERLAP = timedelta(days=1)
"""How long the previous key stays in the JWK Set; the tokens that it signed are valid for minutes."""


def published_keys(path: Path) -> list[OidcKey]:
    """Return the keys of the JWK Set: the one in the file at `path`, which signs, the next and the previous one."""
    keys = [load_or_create(path), load_existing(beside(path, "next"))]
    if time.time() - path.stat().st_mtime <= KEY_OVERLAP.total_seconds():
        keys.append(load_existing(beside(path, "previous")))
    return [key for key in keys if key is not None]


def announce_oidc_key(path: Path) -> OidcKey:
    """Make and publish the next key; raise ConflictError if one is announced already, and OSError."""
    load_or_create(path)
    following = beside(path, "next")
    if following.exists():
        raise ConflictError(f"A key is announced already, in {following}: switch to it, or delete it first")
    create_key_file(following, make_pem())
    return load_or_create(following)


def switch_oidc_key(path: Path) -> OidcKey:
    """Sign with the announced key from now on; raise ConflictError without an announced key, and OSError."""
    following, previous = beside(path, "next"), beside(path, "previous")
    if load_existing(following) is None:
        raise ConflictError("No key is announced: announce a key first, and give verifiers time to read it")
    previous.unlink(missing_ok=True)
    create_key_file(previous, path.read_bytes())
    # The file's time tells when the overlap began. One rename switches, so a crash leaves either key signing.
    os.utime(following)
    following.replace(path)
    return load_or_create(path)


def beside(path: Path, name: str) -> Path:
    """Return the path of another key than the signing one: `name` is `next` or `previous`."""
    return Path(f"{path}.{name}")
