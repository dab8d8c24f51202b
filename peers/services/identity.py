"""Who this hub is to its peers: its URL, its DID, and the key it signs with, which is made once and kept in a file."""

from __future__ import annotations

import contextlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from peers.protocol import HubIdentity, ServerIdentity, is_same_did, normalize_server_url
from peers.protocol.errors import InvalidIdentifier

_chosen: list[HubIdentity] = []


def hub_url() -> str:
    """Return this hub's URL in the one spelling that is compared and signed."""
    return normalize_server_url(settings.FEDHUB_SERVER_URL)


def is_enabled() -> bool:
    """Tell whether this hub speaks federation at all."""
    return bool(settings.FEDHUB_ENABLED)


def hub_identity() -> HubIdentity:
    """Return this hub's identity; its key file is made on first use with mode 0600.

    A file that was replaced since is read again. Raises InvalidKey for a file that holds no raw 32-byte seed, OSError.
    """
    if _chosen:
        return _chosen[0]
    path = Path(settings.FEDHUB_KEY_PATH)
    if not path.exists():
        _create(path)
    return _load(hub_url(), path, path.stat().st_mtime_ns)


def choose_identity(identity: HubIdentity | None) -> None:
    """Have this process sign as `identity` in place of the key file's; None goes back to that.

    Raises InvalidIdentifier for the identity of another server, InvalidKey for one that cannot sign.
    """
    if identity is not None:
        identity.signing_key()
        if normalize_server_url(identity.server_url) != hub_url() or not is_same_did(
            identity.did, HubIdentity(hub_url()).did
        ):
            raise InvalidIdentifier(f"the identity is not that of {hub_url()}")
    _chosen[:] = [] if identity is None else [identity]


@lru_cache(maxsize=4)
def _load(server_url: str, path: Path, modified_ns: int) -> HubIdentity:
    return ServerIdentity.from_key_file(server_url, path)


def _create(path: Path) -> None:
    """Link a whole file into place: of two processes that start at once, both use the one that came first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    ServerIdentity.generate(hub_url()).save_key(draft)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
