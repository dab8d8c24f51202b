"""Let the journal tell of refused messages of peers, with what the message says of itself."""

from __future__ import annotations

import hashlib
import re

from core.errors import NotFoundError
from core.strict_json import parse_json_object
from peers.models import JournalKind, Peer
from peers.protocol import ProtocolError, idempotency_digest, normalize_server_url
from peers.protocol.envelope_signatures import SignedObject
from peers.services.inbox.receive.prove_sender import DISPATCH_ID
from peers.services.trust.passing_lines import About, Cause, see

MAX_READ_BYTES = 128 * 1024
"""The longest body of which a line tells the dispatch and the digest."""

_AGENT_ID = re.compile(r"[!-~]{1,200}", re.ASCII)
_REASON = re.compile(r"[A-Za-z]{1,60}", re.ASCII)


def see_refusal(reason: str, *, status: int, address: str, peer: Peer | None, body: bytes) -> None:
    """Let the journal tell of a refused message from an address; `peer` is its sender if a proof holds, else None."""
    # A reason is the name of a class; other texts would be causes without number.
    name = reason if _REASON.fullmatch(reason) else f"HTTP {status}"
    source = peer.server_url if peer else address
    wants_agent = name == NotFoundError.__name__
    cause = Cause(JournalKind.REFUSED, name, source, is_proven=peer is not None)
    see(cause, lambda: _read(body, wants_agent=wants_agent))


def _read(body: bytes, *, wants_agent: bool) -> About:
    """Return what a message says of itself; nothing of a long message, or of one that cannot be read.

    `wants_agent` tells that the agent may be what was not found.
    """
    try:
        message = parse_json_object(body, max_bytes=MAX_READ_BYTES)
        dispatch_id, source = message.get("dispatch_id"), message.get("source_server")
        agent_id = message.get("agent_id") if wants_agent else None
        is_callback = "event_type" in message
        digest = (
            hashlib.sha256(SignedObject(message).signed_bytes).hexdigest()
            if is_callback
            else idempotency_digest(message)
        )
        return About(
            dispatch_id=dispatch_id if isinstance(dispatch_id, str) and DISPATCH_ID.fullmatch(dispatch_id) else "",
            agent_id=agent_id if isinstance(agent_id, str) and _AGENT_ID.fullmatch(agent_id) else "",
            digest=digest,
            claimed_url="" if is_callback else _server_of(source),
        )
    except ProtocolError:
        return About()


def _server_of(source: object) -> str:
    """Return the URL of the server that a message names, "" for a malformed one."""
    try:
        return normalize_server_url(source) if isinstance(source, str) else ""
    except ProtocolError:
        return ""
