"""The rows of the protocol between hubs: peers, messages sent and received, handler events, and the journal."""

from peers.models.agents import AgentVisibilityChoice, AgentWorkSetting, DiscoveredAgent, RegisteredAgent, Visibility
from peers.models.dispatches import Dispatch, DispatchState, InboundCallback, IssuedDelegation
from peers.models.failed_deliveries import FailedDeliveries
from peers.models.federation_log import CheckpointStanding, FederationLog, LogBatch, PeerCheckpoint
from peers.models.handling import HandlerEvent, HandlerEventKind
from peers.models.intents import Intent, IntentStatus
from peers.models.journal import JournalEntry, JournalKind, SealedEntryError
from peers.models.outbox import PUT_AWAY, WAITING_DEAD, OutboxRow
from peers.models.peer_agents import PeerAgent
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
from peers.models.receipts import DispatchReceipt, ReceiptStanding
from peers.models.received import OutboundCallback, ReceivedDispatch, SeenNonce, TakenBy, WorkOutcome

__all__ = [
    "PUT_AWAY",
    "WAITING_DEAD",
    "AgentVisibilityChoice",
    "AgentWorkSetting",
    "CheckpointStanding",
    "DiscoveredAgent",
    "Dispatch",
    "DispatchReceipt",
    "DispatchState",
    "FailedDeliveries",
    "FederationLog",
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
    "LogBatch",
    "OutboundCallback",
    "OutboxRow",
    "Peer",
    "PeerAgent",
    "PeerCheckpoint",
    "PeerDecision",
    "PeerKey",
    "PeerState",
    "PeerToken",
    "ReceiptStanding",
    "ReceivedDispatch",
    "RegisteredAgent",
    "Relationship",
    "SealedEntryError",
    "SeenNonce",
    "TakenBy",
    "Visibility",
    "WorkOutcome",
]
