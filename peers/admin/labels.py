"""Names and colors of states, and short texts about peers, keys, dispatches and callbacks, for every page here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from core.admin.labels import format_time
from peers.models import (
    Dispatch,
    DispatchState,
    KeyOrigin,
    KeyState,
    KeyWithdrawal,
    Peer,
    PeerKey,
    PeerState,
    ReceivedDispatch,
)
from peers.protocol import CallbackEventType
from peers.services.inbox.work_progress import REFUSED
from peers.services.trust.standing import Standing

MESSAGES_PAUSED = "Messages paused"
PEER_COLORS = {
    MESSAGES_PAUSED: "warning",
    PeerState.PROPOSED.label: "info",
    PeerState.APPROVED.label: "success",
    PeerState.REJECTED.label: "danger",
    PeerState.SUSPENDED.label: "warning",
    PeerState.RETIRED.label: "default",
    Standing.TOKEN.label: "info",
    Standing.NO_KEY.label: "danger",
}
KEY_COLORS = {
    KeyState.PROPOSED.label: "info",
    KeyState.PINNED.label: "success",
    KeyState.PROVISIONAL.label: "warning",
    KeyState.REVOKED.label: "danger",
    "Expired": "default",
}
WITHDRAWAL_COLORS = {way.label: "danger" for way in KeyWithdrawal}
REFUSED_WORK = "Refused"
DISPATCH_COLORS = {
    DispatchState.PENDING.label: "info",
    DispatchState.DELIVERED.label: "info",
    DispatchState.ACCEPTED.label: "primary",
    DispatchState.COMPLETED.label: "success",
    REFUSED_WORK: "danger",
    DispatchState.FAILED.label: "danger",
    "Given up": "warning",
    "Put away": "default",
    "Waiting": "warning",
}
KEY_ORIGINS = {
    KeyOrigin.CLAIMED: "shown in a signed request; the hub did not check it",
    KeyOrigin.ENTERED: "entered by staff",
    KeyOrigin.PUBLISHED: "published in its DID document",
}
_BREAKS = re.compile(r"(?<=[^/:])[.:/](?=[^/])")
SIGNED_BY_PREVIOUS = "signed by the previous key"
EVENT_NAMES: Mapping[str, str] = {
    CallbackEventType.STATE_DELTA: "Progress",
    CallbackEventType.STATUS_CHANGED: "Status changed",
    CallbackEventType.ATTESTATION: "Attestation",
    CallbackEventType.BUDGET_WARNING: "Budget warning",
    CallbackEventType.COMPLETED: "Completed",
    CallbackEventType.FAILED: "Failed",
}
EVENT_COLORS = {"Progress": "info", "Budget warning": "warning", "Completed": "success", "Failed": "danger"}


def http_answer(code: int | None) -> str:
    """Return an HTTP status with its phrase, as in `503 Service Unavailable`; `none` if no response came."""
    if code is None:
        return "none"
    known = {int(status): status.phrase for status in HTTPStatus}
    return f"{code} {known.get(code, '')}".strip()


def event_name(event_type: str) -> str:
    """Return the name of a callback's event type for people; an unknown type stays as it is."""
    return EVENT_NAMES.get(event_type, event_type)


def url_text(text: str) -> SafeString:
    """Return a URL that a narrow column breaks before a dot, a colon or a slash, and only then inside a part."""
    # Django escapes none of the three signs.
    return mark_safe(_BREAKS.sub(r"<wbr>\g<0>", escape(text)))  # noqa: S308 (the text is escaped)


def peer_link(peer: Peer | None, url: str = "") -> SafeString | str:
    """Return a link to a peer by its name, with its URL as the tooltip; without a peer, only `url` or a dash."""
    if peer is None:
        return format_html('<span title="{}">{}</span>', url, url_text(url)) if url else "-"
    page = reverse("admin:peers_peer_change", args=[peer.pk])
    return format_html('<a class="text-link" href="{}" title="{}">{}</a>', page, peer.server_url, url_text(str(peer)))


def peer_state(peer: Peer, standing: Standing) -> str:
    """Return a peer's state; for an approved peer without a trusted key, how it stands."""
    return str(standing.label) if peer.state == PeerState.APPROVED else peer.get_state_display()


def dispatch_status(dispatch: Dispatch) -> str:
    """Return a dispatch's status; `Given up`, `Put away` or `Waiting` for one that no worker will take.

    `Failed` is the work that the peer could not do, `Refused` the work that the peer's hub or staff did not want. A
    dispatch that the hub could not deliver is given up.
    """
    if dispatch.dead_at:
        return "Put away" if dispatch.put_away_at else "Given up"
    if dispatch.status == DispatchState.REJECTED or is_refused_by_staff(dispatch):
        return REFUSED_WORK
    if dispatch.status != DispatchState.PENDING:
        return dispatch.get_status_display()
    return "Pending" if dispatch.due_at else "Waiting"


def is_refused_by_staff(dispatch: Dispatch) -> bool:
    """Tell whether the peer's staff refused the work after its hub had taken it, by the column that lists search."""
    return dispatch.status == DispatchState.FAILED and dispatch.reason.startswith(REFUSED)


def key_state(key: PeerKey, now: datetime) -> str:
    """Return a key's state; `Expired` for a pinned key whose last valid moment has passed."""
    is_over = key.state == KeyState.PINNED and key.valid_until is not None and key.valid_until <= now
    return "Expired" if is_over else key.get_state_display()


def key_origin(key: PeerKey) -> str:
    """Return where the hub saw a key first."""
    return KEY_ORIGINS[KeyOrigin(key.origin)]


def trusted_until(key: PeerKey) -> str:
    """Return the last moment at which the hub trusts a key."""
    return format_time(key.valid_until) if key.valid_until else "no end set"


def short_fingerprint(fingerprint: str) -> str:
    """Return the beginning of a fingerprint. People may recognize a key by it, but must not compare keys by it."""
    return f"{fingerprint[:19]} …"


def title_of_received(received: ReceivedDispatch) -> str:
    """Return the title of the work that a peer asked for; the envelope's title where the hub made no intent of it."""
    if received.intent:
        return received.intent.title
    return str(received.envelope.get("intent_title") or "Untitled work")


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: `1 key`, `3 keys`."""
    ending = "es" if noun.endswith("ch") else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"
