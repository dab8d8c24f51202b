"""Changing this hub's own key, in two steps, so that no peer need ever meet a signature by a key it does not know.

The next key is announced first: the DID document lists it with the word of the key that signs, and peers' staff, whose
hubs look daily, approve it. Then signing switches to it, and the one before is kept for KEY_OVERLAP. Running processes
look at the files' times, so they follow without a restart; replicas that share no file system need the files copied.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from core.actors import Actor
from core.errors import ConflictError
from peers.models import JournalKind, PeerKey
from peers.protocol import ServerIdentity, VerificationKey
from peers.services.trust.identity import beside_key, hub_identity, hub_url, next_key
from peers.services.trust.journal import note


def announce_key(*, by: Actor) -> VerificationKey:
    """Make this hub's next key and publish it; raises ConflictError where one is announced already."""
    hub_identity()  # makes the first key where there is none
    path = beside_key("next")
    try:
        ServerIdentity.generate(hub_url()).save_key(path)
    except FileExistsError as exc:
        raise ConflictError(f"A key is announced already, in {path}: switch to it, or delete it first") from exc
    key = ServerIdentity.from_key_file(hub_url(), path).signing_key().verification_key
    note(JournalKind.KEY, f"Own key announced: {fingerprint_of(key)}", by=by)
    return key


def switch_key(*, by: Actor) -> VerificationKey:
    """Sign with the announced key from now on, in every process; raises ConflictError where none is announced."""
    key, old = next_key(), hub_identity()
    if key is None:
        raise ConflictError("No key is announced: do that first, and give peers the time to approve it")
    ServerIdentity(hub_url(), private_key_bytes=old.private_key_bytes).save_key(beside_key("previous"), overwrite=True)
    # Its time tells when the overlap began. One rename decides, so a crash leaves either key signing.
    os.utime(beside_key("next"))
    beside_key("next").replace(Path(settings.FEDHUB_KEY_PATH))
    note(JournalKind.KEY, f"Own key in use: {fingerprint_of(key.verification_key)}", by=by)
    return key.verification_key


def fingerprint_of(key: VerificationKey) -> str:
    """Return a key's fingerprint in the form in which people compare those of peers."""
    return PeerKey(public_key=key.base64).fingerprint
