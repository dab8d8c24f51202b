"""What a decision of staff ends, in numbers: for the dialog before it, and for the message after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from core.store.unions import count_each
from federations.models import AgentRun
from federations.runs.states import UNFINISHED, RunSource
from peers.models import (
    Dispatch,
    DispatchState,
    IssuedDelegation,
    OutboundCallback,
    Peer,
    PeerKey,
    PeerState,
    PeerToken,
)
from peers.models.dispatches import OPEN_STATES
from peers.services.trust.standing import key_is_trusted


@dataclass(frozen=True, slots=True)
class StopEffects:
    """What the suspension or retirement of a peer ends.

    `dispatches` and `callbacks` are queued and wait from then on; `delegations` are those of work
    that has not ended; they and the valid `tokens` end. `runs` work for the peer and are cancelled.
    """

    dispatches: int = 0
    callbacks: int = 0
    delegations: int = 0
    tokens: int = 0
    runs: int = 0

    def __str__(self) -> str:
        """Return what ended and what waits, in words; "" where nothing was under way."""
        waits = _counted((self.dispatches, "dispatch", "es"), (self.callbacks, "callback", "s"))
        ended = _counted((self.delegations, "delegation", "s"), (self.tokens, "token", "s"))
        cancelled = _counted((self.runs, "run", "s"))
        parts = (("waiting", waits), ("ended", ended), ("cancelled", cancelled))
        return "; ".join(f"{what}: {text}" for what, text in parts if text)


@dataclass(frozen=True, slots=True)
class KeyEffects:
    """What the revocation of a peer's key ends, or what it leaves.

    `is_trusted` tells whether the hub trusts the key now. `left` counts the other trusted keys, `tokens` the valid
    tokens, and `reports` the dispatches whose reports the peer still has to send.
    """

    is_trusted: bool
    left: int
    tokens: int
    reports: int


@dataclass(frozen=True, slots=True)
class RejectEffects:
    """What the rejection of a proposed peer leaves: `keys` to compare, `dispatches` that wait for its approval."""

    keys: int
    dispatches: int


def count_stopped(*peers: Peer, now: datetime) -> StopEffects:
    """Return what a stop of the work with the peers would end now, in one query."""
    ids = [peer.pk for peer in peers]
    states = [state.value for state in UNFINISHED]
    runs = AgentRun.objects.filter(state__in=states, source=RunSource.PEER.value, source_id__in=ids)
    numbers = count_each(
        dispatches=Dispatch.objects.filter(peer__in=ids, due_at__isnull=False),
        callbacks=OutboundCallback.objects.filter(peer__in=ids, due_at__isnull=False),
        delegations=_delegations_in_use(ids, now),
        tokens=_valid_tokens(ids, now),
        runs=runs,
    )
    return StopEffects(**numbers)


def count_of_key(key: PeerKey, *, now: datetime) -> KeyEffects:
    """Return what the revocation of a key would end now, in one query."""
    trusted = PeerKey.objects.filter(key_is_trusted(now), peer=key.peer_id)
    underway = Dispatch.objects.filter(peer=key.peer_id, status__in=OPEN_STATES).exclude(status=DispatchState.PENDING)
    numbers = count_each(
        itself=trusted.filter(pk=key.pk),
        left=trusted.exclude(pk=key.pk),
        tokens=_valid_tokens([key.peer_id], now),
        reports=underway,
    )
    return KeyEffects(is_trusted=bool(numbers.pop("itself")), **numbers)


def count_of_rejection(peer: Peer) -> RejectEffects:
    """Return what a rejection of the peer would leave, in one query."""
    waiting = Dispatch.objects.filter(
        target_server=peer.server_url, status=DispatchState.PENDING, due_at=None, dead_at=None
    )
    return RejectEffects(**count_each(keys=peer.keys.filter(withdrawal=""), dispatches=waiting))


def count_tokens(peer: Peer, *, now: datetime) -> int:
    """Return the number of the peer's valid tokens; none counts while the peer is not approved."""
    return _valid_tokens([peer.pk], now).count() if peer.state == PeerState.APPROVED else 0


def _delegations_in_use(peer_ids: list[str], now: datetime) -> QuerySet[IssuedDelegation]:
    """Return the valid delegations of work that has not ended; those of ended work allow nothing more."""
    return IssuedDelegation.objects.filter(
        peer__in=peer_ids, revoked_at=None, expires_at__gt=now, dispatch__status__in=OPEN_STATES
    )


def _counted(*found: tuple[int, str, str]) -> str:
    return ", ".join(f"{number:,} {noun}{'' if number == 1 else ending}" for number, noun, ending in found if number)


def _valid_tokens(peer_ids: list[str], now: datetime) -> QuerySet[PeerToken]:
    return PeerToken.objects.filter(peer__in=peer_ids, revoked_at=None, expires_at__gt=now)
