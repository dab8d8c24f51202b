"""The peer and the key that the arguments of a verb name."""

from __future__ import annotations

from core.errors import NotFoundError
from peers.management.peer_verbs.verb import Options
from peers.models import Peer, PeerKey
from peers.services.trust import peers


def peer_of(options: Options) -> Peer:
    """Return the peer of `url`, or raise NotFoundError."""
    peer = peers.find_peer(options["url"])
    if peer is None:
        raise NotFoundError(f"There is no peer {options['url']}")
    return peer


def key_of(options: Options) -> PeerKey:
    """Return the key of the peer of `url` with `fingerprint`, or raise NotFoundError."""
    peer, wanted = peer_of(options), peers.bare_fingerprint(options["fingerprint"])
    for key in peer.keys.all():
        if peers.bare_fingerprint(key.fingerprint) == wanted:
            return key
    raise NotFoundError(f"The hub knows no key of {peer.server_url} with this fingerprint")
