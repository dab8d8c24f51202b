"""One signed request to a peer, and the meaning of its answer for the row that the request delivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from core.net.client import TIMEOUT_SECONDS, Answer, TransportError, send
from peers.models import Peer
from peers.protocol import is_same_origin, sign_request
from peers.protocol.compat import make_nonce
from peers.services.trust.identity import hub_identity
from peers.services.trust.peers import outbound_key_of
from peers.services.trust.proofs import PUBLIC_KEY_HEADER

# RFC 9110, section 15.5.9; RFC 8470, section 5.2; RFC 6585, section 4: the same request may succeed later.
RETRIED_STATUSES = frozenset({408, 425, 429})
LONGEST_RETRY_AFTER = timedelta(hours=1)
MAX_ERROR_CHARS = 300


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one attempt: `answer` is None where none came, `is_final` says that another attempt is useless."""

    answer: Answer | None
    error: str = ""
    is_final: bool = False
    retry_after: timedelta = field(default=timedelta())

    @property
    def status_code(self) -> int | None:
        """Return the answer's HTTP status."""
        return self.answer.status if self.answer else None

    @property
    def is_delivered(self) -> bool:
        """Tell whether the peer took the message: only a 2xx status says so."""
        return self.answer is not None and self.answer.is_success

    @property
    def is_outage(self) -> bool:
        """Tell whether the peer as a whole seems to be down: the circuit breaker counts such results."""
        return (self.answer is None and not self.is_final) or (self.answer is not None and self.answer.status >= 500)


def post(peer: Peer, url: str, text: str, *, now: datetime, headers: Mapping[str, str] | None = None) -> SendResult:
    """Send signed JSON text to a URL of the peer, with a fresh HTTP signature and nonce (RFC 9421).

    Network errors are part of the result and are not raised. The peer's outbound key goes to the peer's own origin
    alone. The signature covers the URL as the client requests it, see `core.net.urls.requested_url`.
    """
    body = text.encode()
    identity = hub_identity()
    signed = sign_request(
        identity.signing_key(),
        keyid=identity.did,
        method="POST",
        target_uri=url,
        body=body,
        created=int(now.timestamp()),
        nonce=make_nonce(),
    )
    # A peer that has not approved this hub yet shows this key to its staff.
    signed[PUBLIC_KEY_HEADER] = identity.public_key_b64
    if peer.outbound_key and is_same_origin(url, peer.server_url):
        signed["X-API-Key"] = outbound_key_of(peer)
    try:
        answer = send(
            "POST",
            url,
            body=body,
            headers=signed | dict(headers or {}),
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=min(TIMEOUT_SECONDS, settings.FEDHUB_JOB_LEASE_SECONDS / 2),
        )
    except TransportError as exc:
        return SendResult(None, exc.message[:MAX_ERROR_CHARS], is_final=exc.permanent)
    return result_of(answer)


def result_of(answer: Answer) -> SendResult:
    """Return the meaning of an answer: 2xx is delivered, 4xx except 408, 425 and 429 is final, others are retried."""
    if answer.is_success:
        return SendResult(answer)
    text = answer.body[:MAX_ERROR_CHARS].decode("utf-8", "replace").replace("\0", "")
    is_final = 400 <= answer.status < 500 and answer.status not in RETRIED_STATUSES
    return SendResult(answer, f"HTTP {answer.status}: {text}"[:MAX_ERROR_CHARS], is_final, retry_after(answer))


def retry_after(answer: Answer) -> timedelta:
    """Return the pause in seconds that an answer asks for (RFC 9110, section 10.2.3), at most an hour; else 0."""
    text = answer.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        return timedelta()
    return min(LONGEST_RETRY_AFTER, timedelta(seconds=int(text)))
