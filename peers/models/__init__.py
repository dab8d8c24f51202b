"""The rows of the protocol between hubs: peers, messages sent and received, handler events, and the journal."""

from peers.models.agents import AgentVisibilityChoice, AgentWorkSetting, DiscoveredAgent, RegisteredAgent, Visibility
from peers.models.dispatches import Dispatch, DispatchState, InboundCallback, IssuedDelegation
from peers.models.handling import HandlerEvent, HandlerEventKind
from peers.models.intents import Intent, IntentStatus
from peers.models.journal import JournalEntry, JournalKind
from peers.models.outbox import PUT_AWAY, WAITING_DEAD, OutboxRow
from peers.models.peers import (
    KeyOrigin,
    KeyState,
    KeyWithdrawal,
    Peer,
    PeerDecision,
    PeerKey,
    PeerState,
    PeerToken,
    Relationship,
)
from peers.models.received import OutboundCallback, ReceivedDispatch, SeenNonce, TakenBy

__all__ = [
    "PUT_AWAY",
    "WAITING_DEAD",
    "AgentVisibilityChoice",
    "AgentWorkSetting",
    "DiscoveredAgent",
    "Dispatch",
    "DispatchState",
    "HandlerEvent",
    "HandlerEventKind",
    "InboundCallback",
    "Intent",
    "IntentStatus",
    "IssuedDelegation",
    "JournalEntry",
    "JournalKind",
    "KeyOrigin",
    "KeyState",
    "KeyWithdrawal",
    "OutboundCallback",
    "OutboxRow",
    "Peer",
    "PeerDecision",
    "PeerKey",
    "PeerState",
    "PeerToken",
    "ReceivedDispatch",
    "RegisteredAgent",
    "Relationship",
    "SeenNonce",
    "TakenBy",
    "Visibility",
]
