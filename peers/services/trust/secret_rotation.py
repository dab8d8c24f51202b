"""Encrypts the stored secrets again with the first key of FEDHUB_SECRETS_KEY, so that the other keys can be dropped."""

from __future__ import annotations

from django.utils import timezone

from core.actors import Actor
from core.errors import InternalError
from core.reencryption import Reencryption
from core.store.unit_of_work import retried, unit_of_work
from peers.models import JournalKind, Peer
from peers.services.trust.journal import note
from peers.services.trust.secrets import decrypt, encrypt, is_of_first_key


def reencrypt_secrets(*, by: Actor) -> Reencryption:
    """Encrypt every stored secret with the first key, each in a transaction of its own; a second run goes on."""
    rewritten, unchanged, unreadable = 0, 0, []
    for peer in Peer.objects.exclude(outbound_key="").order_by("server_url"):
        if is_of_first_key(peer.outbound_key):
            unchanged += 1
            continue
        try:
            rewritten += _reencrypt(peer, encrypt(decrypt(peer.outbound_key)), by=by)
        except InternalError:
            unreadable.append(f"the outbound key of {peer.server_url}")
    return Reencryption(rewritten, unchanged, tuple(unreadable))


@retried
def _reencrypt(peer: Peer, encrypted: str, *, by: Actor) -> int:
    """Store the secret, and return 1; return 0 if another process has set another one in the meantime."""
    with unit_of_work():
        stored = Peer.objects.filter(pk=peer.pk, outbound_key=peer.outbound_key).update(
            outbound_key=encrypted, updated_at=timezone.now()
        )
        if stored:
            note(JournalKind.PEER, "Outbound key encrypted again", peer_url=peer.server_url, by=by)
    return stored
