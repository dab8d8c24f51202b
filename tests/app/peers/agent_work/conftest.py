"""An approved peer, whose received work agents in memory do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.actors import Actor
from core.strict_json import JsonObject
from federations.models import A2aAgent, AgentRun, Federation
from federations.services.runs import drive as drive_loop
from peers.models import OutboundCallback, Peer, ReceivedDispatch, TakenBy
from peers.protocol import DelegationScope, SigningKey
from peers.services.agent_work.begin import begin_work
from peers.services.catalog.agents import agent_id_of
from peers.services.catalog.intents import create_intent
from peers.services.catalog.work_settings import set_asks_before_work
from peers.services.trust.peers import add_peer, approve_peer
from tests.conftest import MakeAgent
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider

STAFF = Actor(id="1", name="operator")
PEER_URL = "https://partner.example.org"

Receive = Callable[..., ReceivedDispatch]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a cancel and for due runs in short intervals."""
    monkeypatch.setattr(drive_loop, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(drive_loop, "LOOK_SECONDS", 0.05)


@pytest.fixture
def twin(transactional_db: None) -> Iterator[MemoryProvider]:
    made = MemoryProvider()
    with provider(made):
        yield made


@pytest.fixture
def peer(transactional_db: None) -> Peer:
    found = add_peer(PEER_URL, by=STAFF, public_key=SigningKey(b"k" * 32).verification_key.base64)
    approve_peer(found, key_fingerprint=found.keys.get().fingerprint, by=STAFF)
    return found


@pytest.fixture
def agent(transactional_db: None, make_agent: MakeAgent, federation: Federation) -> A2aAgent:
    """An agent that does not ask before work."""
    made = make_agent(federation, "analyst")
    set_asks_before_work(federation.id, made.path, False, by=STAFF)
    return made


@pytest.fixture
def receive(peer: Peer, agent: A2aAgent) -> Receive:
    """Store work of the peer for the agent, as a receive does, and begin it unless told otherwise."""

    def make(*, begin: bool = True, **fields: Any) -> ReceivedDispatch:
        number = ReceivedDispatch.objects.count()
        envelope = {
            "dispatch_id": f"remote-{number}", "source_server": PEER_URL, "target_server": "http://127.0.0.1:8000",
            "intent_id": "i-7", "intent_title": "Add", "intent_description": "2 and 40", "intent_state": {"a": 1},
        }  # fmt: skip
        values: dict[str, Any] = {
            "peer": peer,
            "dispatch_id": f"remote-{number}",
            "body_digest": "0" * 64,
            "intent": create_intent(title="Theirs", state={"phase": "draft"}, by=STAFF),
            "accepted": True,
            "agent_id": agent_id_of(agent.path),
            "envelope": envelope,
            "scope": DelegationScope().to_dict(),
            "policy": {"governance": {}, "budget": {}, "observability": {}},
            "callback_url": f"{PEER_URL}/api/v1/federation/callback",
            "taken_by": TakenBy.AGENT,
        }
        received = ReceivedDispatch.objects.create(**values | fields)
        if begin:
            begin_work(received.pk)
        return received

    return make


def run_of(received: ReceivedDispatch) -> AgentRun:
    return AgentRun.objects.get(dispatch_id=received.pk)


def told(received: ReceivedDispatch) -> list[tuple[str, JsonObject]]:
    """Return the event type and the state_delta of each callback, in order."""
    rows = OutboundCallback.objects.filter(received=received).order_by("sequence")
    return [(row.event_type, json.loads(row.body)["state_delta"]) for row in rows]


def attested(received: ReceivedDispatch) -> JsonObject:
    """Return the attestation of the last callback."""
    last = OutboundCallback.objects.filter(received=received).latest("sequence")
    found: JsonObject = json.loads(last.body)["attestation"]
    return found


def drive() -> None:
    drive_loop.run_agents()
