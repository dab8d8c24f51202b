"""Let the journal tell of refused messages of peers, with what the message says of itself."""

from __future__ import annotations

import hashlib
import re

from core.errors import HubError, InvalidRequestError, NotFoundError
from core.strict_json import parse_json_object
from peers.models import JournalKind, Peer
from peers.protocol import DelegationError, ProtocolError, idempotency_digest, normalize_server_url
from peers.protocol.envelope_signatures import SignedObject
from peers.services.inbox.explain.agents import visibility_to_staff
from peers.services.inbox.explain.causes import BLOCKED, DISABLED, FOREIGN, NO_AGENT
from peers.services.inbox.receive.prove_sender import DISPATCH_ID
from peers.services.inbox.receive.scope_and_policy import FOREIGN_CALLBACK
from peers.services.outbox.callbacks import CALLBACK_BLOCKED
from peers.services.trust.identity import DISABLED as IS_DISABLED
from peers.services.trust.passing_lines import About, Cause, see

MAX_READ_BYTES = 128 * 1024
"""The longest body of which a line tells the dispatch and the digest."""

_AGENT_ID = re.compile(r"[!-~]{1,200}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)
_REASON = re.compile(r"[A-Za-z]{1,60}", re.ASCII)
_OF_MESSAGE = {IS_DISABLED: DISABLED, FOREIGN_CALLBACK: FOREIGN, CALLBACK_BLOCKED: BLOCKED}


def detail_of(exc: Exception) -> str:
    """Return the word that tells the causes of one class of refusals apart; "" for a class with one cause."""
    if isinstance(exc, DelegationError):
        return exc.fault.value
    if isinstance(exc, InvalidRequestError):
        return _OF_MESSAGE.get(exc.message, "")
    return exc.detail if isinstance(exc, HubError) else ""


def see_refusal(
    reason: str, *, status: int, address: str, peer: Peer | None, body: bytes, detail: str = "", shown_key: str = ""
) -> None:
    """Let the journal tell of a refused message from an address; `peer` is its sender if a proof holds, else None.

    `detail` is that of `detail_of`, and `shown_key` the key that the request shows in its header, or "".
    """
    # A reason is the name of a class; other texts would be causes without number.
    name = reason if _REASON.fullmatch(reason) else f"HTTP {status}"
    source = peer.server_url if peer else address
    wants_agent = name == NotFoundError.__name__ and peer is not None
    key = shown_key if _KEY.fullmatch(shown_key) else ""
    cause = Cause(JournalKind.REFUSED, f"{name} ({detail})" if detail else name, source, is_proven=peer is not None)
    see(cause, lambda: _read(body, wants_agent=wants_agent, shown_key=key))


def _read(body: bytes, *, wants_agent: bool, shown_key: str) -> About:
    """Return what a message says of itself; nothing of a long message, or of one that cannot be read.

    `wants_agent` tells that the agent may be what was not found.
    """
    try:
        message = parse_json_object(body, max_bytes=MAX_READ_BYTES)
        dispatch_id, source = message.get("dispatch_id"), message.get("source_server")
        is_callback = "event_type" in message
        agent_id = message.get("agent_id") if wants_agent and not is_callback else None
        digest = (
            hashlib.sha256(SignedObject(message).signed_bytes).hexdigest()
            if is_callback
            else idempotency_digest(message)
        )
    except ProtocolError:
        return About()
    agent = agent_id if isinstance(agent_id, str) and _AGENT_ID.fullmatch(agent_id) else ""
    return About(
        dispatch_id=dispatch_id if isinstance(dispatch_id, str) and DISPATCH_ID.fullmatch(dispatch_id) else "",
        agent_id=agent,
        agent_is=(visibility_to_staff(agent) or NO_AGENT) if agent else "",
        digest=digest,
        claimed_url="" if is_callback else _server_of(source),
        is_report=is_callback,
        shown_key=shown_key,
    )


def _server_of(source: object) -> str:
    """Return the URL of the server that a message names, "" for a malformed one."""
    try:
        return normalize_server_url(source) if isinstance(source, str) else ""
    except ProtocolError:
        return ""
