"""One signed request to a peer, and the meaning of its answer for the row that the request delivers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.utils import timezone
from django.utils.http import parse_http_date_safe

from core.net.client import TIMEOUT_SECONDS, Answer, TransportError, send
from peers.models import Peer
from peers.protocol import is_same_origin, sign_request
from peers.protocol.compat import make_nonce
from peers.protocol.federation_log import CHECKPOINT_HEADER
from peers.services.trust.identity import hub_identity
from peers.services.trust.log_checkpoints import own_checkpoint_header, pass_on
from peers.services.trust.peers import outbound_key_of
from peers.services.trust.proofs import PUBLIC_KEY_HEADER

# RFC 9110, section 15.5.9; RFC 8470, section 5.2; RFC 6585, section 4: the same request may succeed later.
RETRIED_STATUSES = frozenset({408, 425, 429})
LONGEST_RETRY_AFTER = timedelta(hours=1)
MAX_ERROR_CHARS = 300
MAX_PLACE_CHARS = 200


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one attempt to send a message to a peer; `post` makes it, and `delivery` records it.

    `answer` is the HTTP response, or None if no response came. `error` is the text for staff, "" after a success.
    `is_final` says that another attempt is useless. `retry_after` is the pause that the peer asked for before the next
    attempt; it holds for all messages to the peer. `milliseconds` is the time from request to response or error.
    """

    answer: Answer | None
    error: str = ""
    is_final: bool = False
    retry_after: timedelta = field(default=timedelta())
    milliseconds: int = 0

    @property
    def status_code(self) -> int | None:
        """Return the status of the HTTP response; None if no response came."""
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

    Network errors are part of the result and are not raised. The peer's outbound key is sent only to the peer's own
    origin. The signature covers the URL as the client requests it, see `core.net.url_grammar.requested_url`.
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
    if checkpoint := own_checkpoint_header():
        signed[CHECKPOINT_HEADER] = checkpoint
    if peer.outbound_key and is_same_origin(url, peer.server_url):
        signed["X-API-Key"] = outbound_key_of(peer)
    started_at = time.monotonic()
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
        result = SendResult(None, exc.message[:MAX_ERROR_CHARS], is_final=exc.permanent)
    else:
        result = result_of(answer, url=url, now=timezone.now())
    milliseconds = round((time.monotonic() - started_at) * 1000)
    if result.answer is not None:
        pass_on(peer, result.answer.headers.get(CHECKPOINT_HEADER.lower()))
    return replace(result, milliseconds=milliseconds)


def result_of(answer: Answer, *, url: str, now: datetime) -> SendResult:
    """Return the meaning of an HTTP response to a request of `url`; the response came at `now`.

    Status 2xx is delivered; 3xx and 4xx except 408, 425 and 429 are final; after any other status the message is tried
    again, after the pause that the response asks for.
    """
    if answer.is_success:
        return SendResult(answer)
    if 300 <= answer.status < 400:
        text = f"HTTP {answer.status}: {_moved_to(answer, url)}"
        return SendResult(answer, text[:MAX_ERROR_CHARS], is_final=True)
    text = answer.body[:MAX_ERROR_CHARS].decode("utf-8", "replace").replace("\0", "")
    error = f"HTTP {answer.status}: {text}"[:MAX_ERROR_CHARS]
    if 400 <= answer.status < 500 and answer.status not in RETRIED_STATUSES:
        return SendResult(answer, error, is_final=True)
    return SendResult(answer, error, retry_after=retry_after(answer, now=now))


def retry_after(answer: Answer, *, now: datetime) -> timedelta:
    """Return the pause that the response asks for, at most an hour; 0 for a pause that cannot be read or is over.

    The header holds seconds, or a date in one of three forms (RFC 9110, sections 10.2.3 and 5.6.7).
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        digits = text.lstrip("0")
        return (
            min(LONGEST_RETRY_AFTER, timedelta(seconds=int(digits or 0))) if len(digits) < 10 else LONGEST_RETRY_AFTER
        )
    moment = parse_http_date_safe(text)
    if moment is None:
        return timedelta()
    return max(timedelta(), min(LONGEST_RETRY_AFTER, timedelta(seconds=moment - now.timestamp())))


def _moved_to(answer: Answer, url: str) -> str:
    """Return the text for staff about a redirect, with the address to which it leads (RFC 9110, section 10.2.2)."""
    place = "".join(sign for sign in answer.headers.get("location", "") if sign.isprintable())
    if not place:
        return "a redirect, which is not followed"
    with suppress(ValueError):
        place = urljoin(url, place)
    return f"moved to {place[:MAX_PLACE_CHARS]}, and redirects are not followed; add that address"
