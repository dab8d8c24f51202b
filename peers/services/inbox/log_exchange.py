"""Answer a peer's daily exchange of checkpoints: store the peer's newest one, and tell which ones this hub holds.

As in a receive, the API's authentication calls the first half (`prove_exchange`), and the view the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.errors import InvalidRequestError
from peers.models import Peer, PeerState
from peers.protocol import JsonObject, MalformedMessage, parse_json_object
from peers.protocol.envelope_signatures import SignedObject
from peers.protocol.federation_log import EXCHANGE_TYPE, MAX_EXCHANGE_BYTES, Checkpoint
from peers.protocol.json_fields import read_text
from peers.services.inbox.receive.prove_sender import check_fresh_here
from peers.services.outbox.receipts import take_owed_countersignatures
from peers.services.trust.identity import DISABLED, is_enabled
from peers.services.trust.log_checkpoints import held_of, own_checkpoint, record_checkpoint
from peers.services.trust.log_consistency import following_own
from peers.services.trust.proofs import IncomingRequest, NotTrustedError, Untrusted, look_up_source, prove
from peers.services.trust.rate_limits import spend_request


@dataclass(frozen=True, slots=True)
class ProvenExchange:
    """A request whose sender is proved to be an approved peer, with the peer's newest checkpoint, if it has one.

    `countersignatures` and `after` are the members of these names as they came.
    """

    peer: Peer
    checkpoint: Checkpoint | None
    countersignatures: object = None
    after: object = None


def prove_exchange(request: IncomingRequest, *, now: datetime) -> ProvenExchange:
    """Read a request, prove its sender, and count it against the sender's rate limit. Nothing is written.

    The nonce of an HTTP signature is not recorded: a copy of the request stores nothing that the first one has not
    stored. Raises InvalidRequestError while FEDHUB_ENABLED is off, MalformedMessage, MessageTooLarge,
    UnauthenticatedError or VerificationError without a proof that holds, NotTrustedError for a peer that is not
    approved, RateLimitedError.
    """
    if not is_enabled():
        raise InvalidRequestError(DISABLED)
    message = parse_json_object(request.body, max_bytes=MAX_EXCHANGE_BYTES)
    if message.get("type") != EXCHANGE_TYPE:
        raise MalformedMessage(f"type is not {EXCHANGE_TYPE}")
    source = look_up_source(read_text(message, "source_server"), now)
    proof = prove(request, SignedObject(message), source, now)
    if proof.peer.state != PeerState.APPROVED:
        raise NotTrustedError(proof.peer.server_url, Untrusted(proof.peer.state), peer=proof.peer)
    check_fresh_here(message, now)
    spend_request(proof.peer)
    sent = message.get("checkpoint")
    checkpoint = None if sent is None else Checkpoint.from_dict(sent)
    return ProvenExchange(proof.peer, checkpoint, message.get("countersignatures"), message.get("after"))


def answer_exchange(proven: ProvenExchange, *, now: datetime) -> JsonObject:
    """Store the peer's checkpoint and countersignatures, and return the answer.

    Raises VerificationError for a checkpoint that the peer has not signed.
    """
    if proven.checkpoint:
        record_checkpoint(proven.peer, proven.checkpoint, now=now)
    newest = own_checkpoint()
    answer: JsonObject = {"checkpoint": newest.to_dict() if newest else None, "held": [*held_of(proven.peer)]}
    if (following := following_own(proven.after)) is not None:
        answer["following"] = [*following]
    if proven.countersignatures:
        answer["countersigned"] = [*take_owed_countersignatures(proven.peer, proven.countersignatures)]
    return answer
