"""The dialogs of decisions that stop something: they name in numbers what follows, and the message does it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import BaseDialogForm

from peers.admin.dialogs import ConfirmForm, ReasonForm, RequiredReasonForm
from peers.admin.labels import plural, short_fingerprint
from peers.models import Peer, PeerKey, PeerState
from peers.services.catalog.agents import count_only_for_peers
from peers.services.trust.effects import (
    KeyEffects,
    StopEffects,
    count_of_key,
    count_of_rejection,
    count_stopped,
    count_tokens,
)
from peers.services.trust.held_work import count_held

STAYS_STOPPED = (
    "Its cancelled runs, its tokens and the delegations of sent work stay stopped: issue new tokens if it needs them."
)
NOTHING_STOPS = "Nothing is under way with this peer: no message waits, no agent works for it, no token counts."


class EffectsForm(BaseDialogForm):
    """The base of dialogs that say above their fields what follows for the row; a subclass overrides `effects`."""

    form_before_template = "peers/effects.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"effects": self.effects(str(object_id)), "about": self.about(str(object_id))}

    def about(self, object_id: str) -> str:
        """Return the name of the row, so that nobody decides about another one."""
        return str(Peer.objects.filter(pk=object_id).first() or "")

    def effects(self, object_id: str) -> Iterable[str]:
        """Return the sentences for the row with this primary key."""
        raise NotImplementedError


class StopPeerForm(EffectsForm):
    """Says what a stop of the work with the peer ends."""

    def effects(self, object_id: str) -> Iterable[str]:
        peer = Peer.objects.filter(pk=object_id).first()
        if peer is None:
            return []
        unseen = count_only_for_peers() if peer.state == PeerState.APPROVED else 0
        return stopped_parts(count_stopped(peer, now=timezone.now()), unseen) or [NOTHING_STOPS]


class SuspendForm(StopPeerForm, RequiredReasonForm):
    """Asks why the peer is suspended."""


class ResumeForm(EffectsForm, ReasonForm):
    """Asks why the peer is resumed, and says what goes on and what stays stopped."""

    def effects(self, object_id: str) -> Iterable[str]:
        peer = Peer.objects.filter(pk=object_id).first()
        return [*released_parts(*count_held(peer)), STAYS_STOPPED] if peer else []


class RetireForm(StopPeerForm, ReasonForm):
    """Asks why the peer is retired."""


class RejectForm(EffectsForm, RequiredReasonForm):
    """Asks why the peer is rejected, and says what waits for it."""

    def effects(self, object_id: str) -> Iterable[str]:
        peer = Peer.objects.filter(pk=object_id).first()
        if peer is None:
            return []
        found = count_of_rejection(peer)
        parts = _parts(
            (found.dispatches, "dispatch", "go on waiting for its approval", "goes on waiting for its approval")
        )
        parts += _parts((found.keys, "key", "stay untrusted", "stays untrusted"))
        return parts or ["Nothing waits for this peer."]


class RevokeKeyForm(EffectsForm, RequiredReasonForm):
    """Asks why the key is revoked, and says what the peer can still prove without it."""

    def about(self, object_id: str) -> str:
        key = PeerKey.objects.select_related("peer").filter(pk=object_id).first()
        return f"{short_fingerprint(key.fingerprint)} of {key.peer}" if key else ""

    def effects(self, object_id: str) -> Iterable[str]:
        key = PeerKey.objects.select_related("peer").filter(pk=object_id).first()
        return key_parts(count_of_key(key, now=timezone.now())) if key else []


class RevokeTokensForm(EffectsForm, ConfirmForm):
    """Says how many tokens end."""

    def effects(self, object_id: str) -> Iterable[str]:
        peer = Peer.objects.filter(pk=object_id).first()
        number = count_tokens(peer, now=timezone.now()) if peer else 0
        return _parts((number, "token", "end", "ends")) or ["The peer has no valid token."]


def stopped_parts(stopped: StopEffects, unseen: int) -> list[str]:
    """Return what a stop of the work with a peer ends, one part for each number above 0."""
    return _parts(
        (stopped.dispatches, "dispatch", "wait", "waits"),
        (stopped.callbacks, "callback", "wait", "waits"),
        (stopped.delegations, "delegation", "of sent work end", "of sent work ends"),
        (stopped.tokens, "token", "end", "ends"),
        (unseen, "unlisted agent", "are hidden from it", "is hidden from it"),
        (stopped.runs, "run", "are cancelled", "is cancelled"),
    )


def released_parts(dispatches: int, callbacks: int) -> list[str]:
    """Return what goes on when a peer is resumed, one part for each number above 0."""
    parts = _parts((dispatches, "dispatch", "go out", "goes out"), (callbacks, "callback", "go out", "goes out"))
    return parts or ["No message waits for it."]


def key_parts(found: KeyEffects) -> list[str]:
    """Return what the revocation of a key ends, and what it leaves."""
    if not found.is_trusted:
        return ["The hub does not trust this key now, so nothing under way depends on it."]
    if found.left:
        return _parts((found.left, "other key", "stay trusted", "stays trusted"))
    reports = _parts((found.reports, "dispatch", "can be reported on no more", "can be reported on no more"))
    tokens = _parts((found.tokens, "token", "still count", "still counts"))
    return ["It is the last trusted key of this peer.", *reports, *tokens]


def joined(parts: Iterable[str]) -> str:
    """Return the parts as one sentence, or "" without a part."""
    text = ", ".join(part.removesuffix(".") for part in parts)
    return f"{text}. " if text else ""


def _parts(*counted: tuple[int, str, str, str]) -> list[str]:
    """Return a part for each number above 0; each has a noun, and what follows for several and for one."""
    return [f"{plural(number, noun)} {one if number == 1 else many}." for number, noun, many, one in counted if number]
