"""Fetch peers' documents without staff: daily for approved peers, and for proposed peers under policy `open`.

A new key of an approved peer becomes a proposal and waits for staff. The keys of a proposed peer are trusted only under
policy `open`, provisionally.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from core.errors import HubError
from core.jobs.queue import enqueue
from core.store.unit_of_work import locked, retried, unit_of_work
from peers.models import JournalKind, KeyState, Peer, PeerKey, PeerState
from peers.protocol import TrustPolicy
from peers.services.trust.journal import note
from peers.services.trust.peer_documents import is_fetch_due, refresh_documents
from peers.services.trust.proposals import drop_stale_proposals

REFRESH_INTERVAL = timedelta(hours=20)
"""Shorter than a day, so that a daily task finds every peer due, also after a run that took hours."""

PROVISIONAL_INTERVAL = timedelta(hours=1)
MAX_PROVISIONAL_FETCHES = 60
"""The bound for all proposed peers together, in one interval."""

logger = logging.getLogger(__name__)


def refresh_keys(now: datetime) -> int:
    """Start fetches of the documents and agents of each approved peer that is due, the longest untried first.

    Return the number of these peers. A peer is due when its documents were last tried REFRESH_INTERVAL ago. Also
    deletes stale proposals.
    """
    drop_stale_proposals(now)
    due = list(Peer.objects.filter(_is_due(now), state=PeerState.APPROVED).values_list("pk", "documents_tried_at"))
    # The databases differ in where they sort a time that is missing.
    due.sort(key=lambda row: (row[1] is not None, row[1]))
    for peer_id, _ in due:
        enqueue("peers.refresh_peer_keys", peer_id)
        enqueue("peers.fetch_agents", peer_id)
    return len(due)


def refresh_peer_keys(peer_id: str, now: datetime) -> int:
    """Fetch the documents of an approved peer that is due; return the number of new keys, which wait for staff.

    A fetch that fails is logged, and its time is stored as well, so the peer is asked again only on the next day.
    """
    peer = Peer.objects.filter(_is_due(now), pk=peer_id, state=PeerState.APPROVED).first()
    if peer is None:
        return 0
    try:
        return len(refresh_documents(peer, by=None, now=now).new_keys)
    except HubError as exc:
        logger.warning("The documents of %s could not be fetched: %s", peer.server_url, exc.message)
        return 0


def _is_due(now: datetime) -> Q:
    return Q(documents_tried_at=None) | Q(documents_tried_at__lte=now - REFRESH_INTERVAL)


def pin_provisionally(peer_id: str, now: datetime) -> None:
    """Under policy `open`, trust the published keys of a proposed peer provisionally, until staff decide.

    The documents of one peer are fetched at most once an hour, those of all proposed peers together at most
    MAX_PROVISIONAL_FETCHES times an hour. A fetch that fails is logged.
    """
    peer = Peer.objects.filter(pk=peer_id, state=PeerState.PROPOSED).first()
    if settings.FEDHUB_TRUST_POLICY != TrustPolicy.OPEN or peer is None or not _may_fetch(peer, now):
        return
    # The fetch is recorded before it starts: an origin that answers slowly or wrongly is not asked again this hour.
    is_taken = Peer.objects.filter(pk=peer.pk, documents_fetched_at=peer.documents_fetched_at).update(
        documents_fetched_at=now
    )
    if not is_taken:
        return
    try:
        keys = refresh_documents(peer, by=None, now=now).keys
    except HubError as exc:
        logger.info("The documents of the proposed peer %s could not be fetched: %s", peer.server_url, exc.message)
        return
    _trust(peer, keys, now)


def _may_fetch(peer: Peer, now: datetime) -> bool:
    recent = Peer.objects.exclude(proposed_from="").filter(documents_fetched_at__gt=now - PROVISIONAL_INTERVAL)
    is_due = is_fetch_due(peer, now=now, interval=PROVISIONAL_INTERVAL)
    return is_due and recent.count() < MAX_PROVISIONAL_FETCHES


@retried
def _trust(peer: Peer, keys: tuple[PeerKey, ...], now: datetime) -> None:
    with unit_of_work():
        if not locked(Peer.objects.filter(pk=peer.pk, state=PeerState.PROPOSED)).exists():
            return
        rows = PeerKey.objects.filter(pk__in=[key.pk for key in keys], state=KeyState.PROPOSED)
        if rows.update(state=KeyState.PROVISIONAL, valid_from=now):
            note(JournalKind.KEY, "Published key trusted provisionally (policy open)", peer_url=peer.server_url)
