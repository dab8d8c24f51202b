"""Replace this hub's own key in two steps, so that peers know the new key before they get signatures by it.

The first step announces the next key: the DID document lists the key with a continuity proof by the signing key, and
the peers' hubs, which fetch the document daily, show it to their staff for approval. The second step switches signing
to the announced key and keeps the previous key for KEY_OVERLAP. Running processes check the files' times, so they
follow without a restart. Replicas that do not share a file system need copies of the files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from core.actors import Actor
from core.errors import ConflictError
from peers.models import JournalKind, PeerKey
from peers.protocol import ServerIdentity, VerificationKey
from peers.services.trust.identity import beside_key, hub_identity, hub_url, next_key, previous_key
from peers.services.trust.journal import note


def announce_key(*, by: Actor) -> VerificationKey:
    """Make this hub's next key and publish it in the DID document; raises ConflictError if one is announced already."""
    hub_identity()  # makes the first key file where it is missing
    path = beside_key("next")
    try:
        ServerIdentity.generate(hub_url()).save_key(path)
    except FileExistsError as exc:
        raise ConflictError(f"A key is announced already, in {path}: switch to it, or delete it first") from exc
    key = ServerIdentity.from_key_file(hub_url(), path).signing_key().verification_key
    note(JournalKind.KEY, f"Own key announced: {fingerprint_of(key)}", by=by)
    return key


def switch_key(*, by: Actor) -> VerificationKey:
    """Sign with the announced key from now on, in every process; raises ConflictError without an announced key."""
    key, old = next_key(), hub_identity()
    if key is None:
        raise ConflictError("No key is announced: announce a key first, and give the peers time to approve it")
    ServerIdentity(hub_url(), private_key_bytes=old.private_key_bytes).save_key(beside_key("previous"), overwrite=True)
    # The file's time tells when the overlap began. One rename switches, so a crash leaves either key signing.
    os.utime(beside_key("next"))
    beside_key("next").replace(Path(settings.FEDHUB_KEY_PATH))
    note(JournalKind.KEY, f"Own key in use: {fingerprint_of(key.verification_key)}", by=by)
    return key.verification_key


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """This hub's keys: the one that signs, the announced one, and the former one while it is still published."""

    signing: VerificationKey
    announced: VerificationKey | None
    former: VerificationKey | None


def own_keys() -> OwnKeys:
    """Return this hub's keys; raises InvalidKey or OSError for a key file that cannot be read."""
    announced, former = next_key(), previous_key()
    return OwnKeys(
        signing=hub_identity().signing_key().verification_key,
        announced=announced.verification_key if announced else None,
        former=former.verification_key if former else None,
    )


def fingerprint_of(key: VerificationKey) -> str:
    """Return a key's fingerprint in the form in which staff compare the fingerprints of peers."""
    return PeerKey(public_key=key.base64).fingerprint
