"""Origins that nobody here knows: what they sent shows that they exist, and nothing more.

Whoever signs can claim any URL, so a claim must cost us little: one row for an origin, a few new ones for an address
and an hour, an upper bound for all, and an end after a month. The key is shown to staff and trusted for nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q

from core.jobs.queue import enqueue
from core.net.client import is_permitted_url
from core.net.urls import split_url
from core.store.units import retried, unit_of_work
from peers.models import JournalKind, KeyOrigin, Peer, PeerState
from peers.protocol import InvalidIdentifier, InvalidKey, VerificationKey, did_of_url, is_same_did, normalize_server_url
from peers.services.trust.journal import note
from peers.services.trust.keys import show_key

MAX_OPEN = 200
MAX_PER_ADDRESS = 5
ADDRESS_WINDOW = timedelta(hours=1)
LIFETIME = timedelta(days=30)
MAX_TEXT = 200
MAX_CLAIMED_KEYS = 3


@retried
def record_stranger(server_url: str, did: str, public_key_b64: str, *, address: str, now: datetime) -> None:
    """Make or refresh the proposal of the origin that signed a well-formed receive by itself.

    One that staff decided about is only counted. Malformed, overlong and blocked URLs, a DID that is another's and keys
    that are none leave nothing behind; nor does a new origin past the bounds: 200 open, 5 for each address and hour.
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
        peer = _known_at_origin(url)
        if peer is None:
            peer = _new_proposal(url, address=address[:64], now=now)
        if peer is None:
            return
        Peer.objects.filter(pk=peer.pk).update(attempt_count=F("attempt_count") + 1, last_attempt_at=now)
        if key and peer.state == PeerState.PROPOSED and peer.server_url == url:
            _show_claimed(peer, key)
        if peer.state == PeerState.PROPOSED and settings.FEDHUB_TRUST_POLICY == "open":
            enqueue("peers.pin_provisionally", peer.pk)


def drop_stale_proposals(now: datetime) -> int:
    """Delete the proposals by strangers that were silent for 30 days and that staff left alone; return how many."""
    stale = Peer.objects.filter(
        state=PeerState.PROPOSED, decisions=None, received=None, dispatches=None, owed_callbacks=None
    )
    stale = stale.exclude(proposed_from="").filter(last_attempt_at__lt=now - LIFETIME)
    with unit_of_work():
        dropped, _ = Peer.objects.filter(pk__in=list(stale.values_list("pk", flat=True))).delete()
    return dropped


def _known_at_origin(url: str) -> Peer | None:
    """Return the peer of this URL, else one of its origin that is undecided or rejected: it stands for the origin."""
    exact = Peer.objects.filter(server_url=url).first()
    if exact:
        return exact
    origin = split_url(url).origin
    same_origin = Q(server_url=origin) | Q(server_url__startswith=f"{origin}/")
    undecided = [PeerState.PROPOSED, PeerState.REJECTED]
    return Peer.objects.filter(same_origin, state__in=undecided).order_by("created_at").first()


def _new_proposal(url: str, *, address: str, now: datetime) -> Peer | None:
    strangers = Peer.objects.exclude(proposed_from="")
    if strangers.filter(state=PeerState.PROPOSED).count() >= MAX_OPEN:
        return None
    if strangers.filter(proposed_from=address, created_at__gt=now - ADDRESS_WINDOW).count() >= MAX_PER_ADDRESS:
        return None
    values = {"did": did_of_url(url), "proposed_from": address or "unknown", "created_at": now, "updated_at": now}
    peer, is_new = Peer.objects.get_or_create(server_url=url, defaults=values)
    if is_new:
        note(JournalKind.PEER, f"Proposed by its own signed request, from {address}", peer_url=url)
    return peer


def _show_claimed(peer: Peer, key: VerificationKey) -> None:
    is_full = peer.keys.count() >= MAX_CLAIMED_KEYS and not peer.keys.filter(public_key=key.base64).exists()
    if not is_full:
        show_key(peer, key, origin=KeyOrigin.CLAIMED)
