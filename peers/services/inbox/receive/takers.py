"""Who takes a received dispatch: a discovered agent, handler classes or staff; and a peer's room for agents' work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from federations.services.runs.make import PEER_QUEUED, count_at_agents
from peers.models import HandlerEventKind, Peer, ReceivedDispatch, TakenBy
from peers.services.inbox.handler_classes import HandlerImportError, import_handler
from peers.services.inbox.handler_events import is_handling

NO_ROOM = f"Rejected: {PEER_QUEUED} pieces of work of this hub wait for agents already"


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes a dispatch, and the dotted paths of the handler classes that are called for it."""

    taken_by: TakenBy
    handlers: tuple[str, ...] = ()


def taker_of(*, is_discovered: bool) -> Taker:
    """Return who takes a dispatch; `is_discovered` tells that it names a discovered agent.

    Classes with the attribute `takes_discovered_agents` take the dispatches of discovered agents and no other.
    """
    kind = HandlerEventKind.FEDERATION_RECEIVED
    paths = [path for path in settings.FEDHUB_HANDLERS if is_handling(path, kind)]
    for_agents = tuple(path for path in paths if takes_discovered_agents(path))
    if is_discovered and for_agents:
        return Taker(TakenBy.AGENT, for_agents)
    others = tuple(path for path in paths if path not in for_agents)
    return Taker(TakenBy.HANDLER, others) if others else Taker(TakenBy.STAFF)


@lru_cache(maxsize=64)
def takes_discovered_agents(path: str) -> bool:
    """Tell whether the class at a dotted path takes the dispatches of discovered agents alone."""
    try:
        return bool(getattr(import_handler(path), "takes_discovered_agents", False))
    except HandlerImportError:
        return False


class Room:
    """How much work of each peer may still wait for agents, read once for one group of submissions."""

    def __init__(self) -> None:
        """Start without any look-up."""
        self._left: dict[str, int] = {}

    def take(self, peer: Peer) -> bool:
        """Take a place for one more piece of work of the peer; False if there is none."""
        if peer.pk not in self._left:
            # What is accepted and not at an agent waits: for its handler event, for approval, or in the queue.
            accepted = ReceivedDispatch.objects.filter(taken_by=TakenBy.AGENT, peer=peer, is_finished=False).count()
            self._left[peer.pk] = PEER_QUEUED - (accepted - count_at_agents(peer.pk))
        if self._left[peer.pk] <= 0:
            return False
        self._left[peer.pk] -= 1
        return True
