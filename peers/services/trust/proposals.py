"""Proposals: the rows that unknown senders get by a signed request, for staff to decide about.

A sender can sign for any URL, so a proposal must cost this hub little: two rows for each origin, a few new rows for
each address and hour, a bound for all, and deletion after a month. The key is shown to staff and is not trusted.

A sender can also sign for a path on another organization's origin. So no row stands for another URL of its origin: the
bare origin always gets its own row, and one more row of the origin is for a path, whatever staff decided about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from core.jobs.queue import enqueue
from core.net.client import is_permitted_url
from core.net.url_grammar import split_url
from core.store.unit_of_work import retried, unit_of_work
from peers.models import JournalKind, KeyOrigin, Peer, PeerState
from peers.protocol import (
    InvalidIdentifier,
    InvalidKey,
    TrustPolicy,
    VerificationKey,
    did_of_url,
    is_same_did,
    normalize_server_url,
)
from peers.services.trust.journal import note
from peers.services.trust.keys import store_proposed_key
from peers.services.trust.notices import note_proposal

MAX_OPEN = 200
MAX_PER_ADDRESS = 5
ADDRESS_WINDOW = timedelta(hours=1)
LIFETIME = timedelta(days=30)
MAX_TEXT = 200
MAX_KEYS_OF_SENDER = 3


@retried
def record_proposal(server_url: str, did: str, public_key_b64: str, *, address: str, now: datetime) -> None:
    """Make or refresh the proposal of the server that signed a well-formed receive with its own key.

    Requests of a peer that staff have decided about are only counted. Nothing is stored for a malformed, too long or
    blocked URL, for another server's DID or for a malformed key. Nothing is stored either for a new URL beyond the
    bounds: 200 open proposals, 5 new proposals for each address and hour, and one URL with a path for each origin.
    """
    try:
        url = normalize_server_url(server_url)
        key = VerificationKey.from_base64(public_key_b64) if public_key_b64 else None
    except (InvalidIdentifier, InvalidKey):
        return
    if did and not is_same_did(did, did_of_url(url)):
        return
    if len(url) > MAX_TEXT or not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        return
    with unit_of_work():
        peer = Peer.objects.filter(server_url=url).first() or _new_proposal(url, address=address[:64], now=now)
        if peer is None:
            return
        Peer.objects.filter(pk=peer.pk).update(attempt_count=F("attempt_count") + 1, last_attempt_at=now)
        if key and peer.state == PeerState.PROPOSED:
            _store_key_of_sender(peer, key)
        if peer.state == PeerState.PROPOSED and settings.FEDHUB_TRUST_POLICY == TrustPolicy.OPEN:
            enqueue("peers.pin_provisionally", peer.pk)


@retried
def drop_stale_proposals(now: datetime) -> int:
    """Delete untouched proposals of senders that were silent for 30 days; return the number of deleted rows."""
    stale = Peer.objects.filter(
        state=PeerState.PROPOSED, decisions=None, received=None, dispatches=None, owed_callbacks=None
    )
    stale = stale.exclude(proposed_from="").filter(last_attempt_at__lt=now - LIFETIME)
    with unit_of_work():
        dropped, _ = Peer.objects.filter(pk__in=list(stale.values_list("pk", flat=True))).delete()
    return dropped


def _is_path_beyond_bound(url: str) -> bool:
    """Tell whether the URL has a path, and a URL with a path on the same origin is proposed or rejected already."""
    origin = split_url(url).origin
    unapproved = Peer.objects.filter(state__in=[PeerState.PROPOSED, PeerState.REJECTED])
    return url != origin and unapproved.filter(server_url__startswith=f"{origin}/").exists()


def _new_proposal(url: str, *, address: str, now: datetime) -> Peer | None:
    if _is_path_beyond_bound(url):
        return None
    proposals = Peer.objects.exclude(proposed_from="")
    if proposals.filter(state=PeerState.PROPOSED).count() >= MAX_OPEN:
        return None
    if proposals.filter(proposed_from=address, created_at__gt=now - ADDRESS_WINDOW).count() >= MAX_PER_ADDRESS:
        return None
    values = {"did": did_of_url(url), "proposed_from": address or "unknown", "created_at": now, "updated_at": now}
    peer, is_new = Peer.objects.get_or_create(server_url=url, defaults=values)
    if is_new:
        note(JournalKind.PEER, f"Proposed by its own signed request, from {address}", peer_url=url)
        note_proposal(peer)
    return peer


def _store_key_of_sender(peer: Peer, key: VerificationKey) -> None:
    is_full = peer.keys.count() >= MAX_KEYS_OF_SENDER and not peer.keys.filter(public_key=key.base64).exists()
    if not is_full:
        store_proposed_key(peer, key, origin=KeyOrigin.CLAIMED)
