"""Who this hub is to its peers: its URL, its DID, and the key it signs with, which is made once and kept in a file."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from django.conf import settings

from peers.protocol import (
    HubIdentity,
    Json,
    JsonObject,
    ServerIdentity,
    SigningKey,
    is_same_did,
    normalize_server_url,
)
from peers.protocol.compat import read_key_file
from peers.protocol.errors import InvalidIdentifier
from peers.protocol.key_continuity import CONTINUITY, continuity_proof

KEY_OVERLAP = timedelta(days=30)
"""For how long a key that signs no more is published, and delegations under it count."""

_chosen: list[HubIdentity] = []


def hub_url() -> str:
    """Return this hub's URL in the one spelling that is compared and signed."""
    return normalize_server_url(settings.FEDHUB_SERVER_URL)


def is_enabled() -> bool:
    """Tell whether this hub speaks federation at all."""
    return bool(settings.FEDHUB_ENABLED)


def hub_identity() -> HubIdentity:
    """Return this hub's identity; its key file is made on first use with mode 0600.

    A file that was replaced since is read again. The keys announced and retired lately verify too. Raises InvalidKey
    for a file that holds no raw 32-byte seed, OSError.
    """
    if _chosen:
        return _chosen[0]
    path = Path(settings.FEDHUB_KEY_PATH)
    if not path.exists():
        _create(path)
    others = tuple(bytes(key.verification_key) for key in (next_key(), previous_key()) if key)
    return _load(hub_url(), path, path.stat().st_mtime_ns, others)


def next_key() -> SigningKey | None:
    """Return the key that is announced to peers and does not sign yet, if there is one."""
    return _kept_key(beside_key("next"))


def previous_key() -> SigningKey | None:
    """Return the key that signed before this one; None where there is none, or its time is over."""
    path = Path(settings.FEDHUB_KEY_PATH)
    is_over = path.exists() and time.time() - path.stat().st_mtime > KEY_OVERLAP.total_seconds()
    return None if is_over else _kept_key(beside_key("previous"))


def beside_key(name: str) -> Path:
    """Return the path of another key of this hub, in the key file's folder."""
    return Path(f"{settings.FEDHUB_KEY_PATH}.{name}")


def did_document() -> JsonObject:
    """Return this hub's DID document: its valid keys, and the word of each for the one that follows it."""
    identity = hub_identity()
    document = identity.did_document()
    line = [None, identity.signing_key(), None] if _chosen else [previous_key(), identity.signing_key(), next_key()]
    proofs: list[Json] = [
        continuity_proof(identity.did, successor.verification_key, key)
        for key, successor in pairwise(line)
        if key and successor
    ]
    return {**document, CONTINUITY: proofs} if proofs else document


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
def _load(server_url: str, path: Path, modified_ns: int, others: tuple[bytes, ...]) -> HubIdentity:
    identity = ServerIdentity.from_key_file(server_url, path)
    identity.previous_public_keys = others
    return identity


def _kept_key(path: Path) -> SigningKey | None:
    try:
        return _read_key(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4)
def _read_key(path: Path, modified_ns: int) -> SigningKey:
    return SigningKey(read_key_file(path))


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
