"""This hub's identity for its peers: its URL, its DID, and its signing key, which is made once and kept in a file."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from django.conf import settings

from core.key_files import create_key_file
from core.strict_json import check_json
from peers.protocol import (
    HubIdentity,
    Json,
    JsonMapping,
    JsonObject,
    ServerIdentity,
    SigningKey,
    is_same_did,
    normalize_server_url,
    sign_envelope,
)
from peers.protocol.compat import make_seed, read_key_file
from peers.protocol.errors import InvalidIdentifier
from peers.protocol.key_continuity import CONTINUITY, continuity_proof

KEY_OVERLAP = timedelta(days=30)
"""How long a former signing key stays published and its delegations stay valid."""

ARD_PATH = "/ard"
"""The base of the hub's endpoints of Agentic Resource Discovery, and the member of a manifest's endpoints with it."""

DISABLED = "Federation not enabled"
"""The error text of every endpoint that needs FEDHUB_ENABLED."""

_chosen: list[HubIdentity] = []


def hub_url() -> str:
    """Return this hub's URL in its normalized form, which is compared and signed."""
    return normalize_server_url(settings.FEDHUB_SERVER_URL)


def is_enabled() -> bool:
    """Tell whether this hub takes part in the protocol between hubs."""
    return bool(settings.FEDHUB_ENABLED)


def is_ard_on() -> bool:
    """Tell whether this hub publishes its public agents by Agentic Resource Discovery."""
    return is_enabled() and settings.FEDHUB_ARD != "off"


def hub_identity() -> HubIdentity:
    """Return this hub's identity; the first call makes the key file, with mode 0600.

    A key file that was replaced is read again. The identity signs with the key in the file; it also verifies signatures
    by the announced key and by the previous key. Raises InvalidKey for a file that is not a raw 32-byte seed, and
    OSError.
    """
    if _chosen:
        return _chosen[0]
    path = Path(settings.FEDHUB_KEY_PATH)
    if not path.exists():
        create_key_file(path, make_seed())
    others = tuple(bytes(key.verification_key) for key in (next_key(), previous_key()) if key)
    return _load(hub_url(), path, path.stat().st_mtime_ns, others)


def next_key() -> SigningKey | None:
    """Return the key that is announced to peers and does not sign yet; None where no key is announced."""
    return _kept_key(beside_key("next"))


def previous_key() -> SigningKey | None:
    """Return the key that signed before the present key; None if there is none, or after KEY_OVERLAP has passed."""
    path = Path(settings.FEDHUB_KEY_PATH)
    is_over = path.exists() and time.time() - path.stat().st_mtime > KEY_OVERLAP.total_seconds()
    return None if is_over else _kept_key(beside_key("previous"))


def beside_key(name: str) -> Path:
    """Return the path of another key of this hub: `name` is `next` or `previous`."""
    return Path(f"{settings.FEDHUB_KEY_PATH}.{name}")


def did_document() -> JsonObject:
    """Return this hub's DID document: its valid keys, and each key's continuity proof for its successor."""
    identity = hub_identity()
    document = identity.did_document()
    line = [None, identity.signing_key(), None] if _chosen else [previous_key(), identity.signing_key(), next_key()]
    proofs: list[Json] = [
        continuity_proof(identity.did, successor.verification_key, key)
        for key, successor in pairwise(line)
        if key and successor
    ]
    return {**document, CONTINUITY: proofs} if proofs else document


def signed_json(message: JsonMapping) -> str:
    """Return the compact JSON text of a message with this hub's signature over it in the member `signature`.

    Raises MalformedMessage for a message that a strict reader, such as the peer, refuses.
    """
    check_json(message)
    signed = {**message, "signature": sign_envelope(hub_identity(), message)}
    return json.dumps(signed, separators=(",", ":"))


def choose_identity(identity: HubIdentity | None) -> None:
    """Make this process sign as `identity` instead of the key file's identity; None restores the key file's.

    Raises InvalidIdentifier for the identity of another server, InvalidKey for an identity without a private key.
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
