"""The daily exchange of checkpoints: send this hub's newest one to each peer, and ask which ones the peer holds."""

from __future__ import annotations

import logging
from datetime import datetime

from core.jobs.queue import enqueue
from peers.models import Peer, PeerState
from peers.protocol import Json, JsonObject, ProtocolError, parse_json_object
from peers.protocol.federation_log import EXCHANGE_PATH, EXCHANGE_TYPE, Checkpoint
from peers.services.outbox.sender_receipts import note_confirmed, owed_countersignatures
from peers.services.outbox.signed_requests import post
from peers.services.trust.identity import hub_url, is_enabled, signed_json
from peers.services.trust.log_checkpoints import own_checkpoint, record_checkpoint, record_held
from peers.services.trust.log_consistency import proved_end, record_following

NO_EXCHANGE = (404, 405)
"""How a hub answers that does not know the exchange, such as one of plain OpenIntent."""

logger = logging.getLogger(__name__)


def ask_for_checkpoints() -> int:
    """Start an exchange with each approved peer; return the number of peers."""
    if not is_enabled():
        return 0
    ids = list(Peer.objects.filter(state=PeerState.APPROVED).values_list("pk", flat=True))
    for peer_id in ids:
        enqueue("peers.exchange_checkpoints", peer_id)
    return len(ids)


def exchange_checkpoints(peer_id: str, *, now: datetime) -> str:
    """Exchange checkpoints with an approved peer and store what it answers; return the result in words for staff.

    An error is logged and part of the result: the next day's exchange, or the next delivery, tries again.
    """
    peer = Peer.objects.filter(pk=peer_id, state=PeerState.APPROVED).first()
    if peer is None or not is_enabled():
        return "not approved"
    newest = own_checkpoint()
    body: JsonObject = {
        "type": EXCHANGE_TYPE,
        "source_server": hub_url(),
        "target_server": peer.server_url,
        "created_at": now.isoformat(),
        "checkpoint": newest.to_dict() if newest else None,
    }
    if end := proved_end(peer):
        body["after"] = end.batch
    if owed := owed_countersignatures(peer):
        body["countersignatures"] = [*owed]
    sent = post(peer, peer.server_url + EXCHANGE_PATH, signed_json(body), now=now)
    if sent.answer is not None and sent.status_code in NO_EXCHANGE:
        return "the peer does not exchange checkpoints"
    if sent.answer is None or not sent.is_delivered:
        logger.warning("%s did not exchange checkpoints: %s", peer.server_url, sent.error)
        return sent.error
    try:
        return _record(peer, parse_json_object(sent.answer.body), end, now=now)
    except ProtocolError as exc:
        logger.warning("The checkpoints of %s are refused: %s", peer.server_url, exc)
        return f"refused: {exc}"


def _record(peer: Peer, answer: JsonObject, end: Checkpoint | None, *, now: datetime) -> str:
    held: Json = answer.get("held")
    count = record_held(peer, held if isinstance(held, list) else [], now=now)
    confirmed = answer.get("countersigned")
    if isinstance(confirmed, list):
        note_confirmed(peer, [pk for pk in confirmed if isinstance(pk, str)])
    theirs = answer.get("checkpoint")
    if isinstance(theirs, dict):
        record_checkpoint(peer, Checkpoint.from_dict(theirs), now=now)
    said = f"the peer holds {count} checkpoints of this hub"
    following = answer.get("following")
    if end is None or not isinstance(following, list):
        return said
    return f"{said}; {record_following(peer, end, following, now=now)}"
