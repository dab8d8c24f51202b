"""Two real hubs on loopback, each with its web, worker and beat processes, that find, approve and use each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.peer_hubs import Hub, template

pytestmark = pytest.mark.timeout(300)

APPROVE = """
from federations.services.actors import Actor
from peers.services.documents import refresh_documents
from peers.services.peers import add_peer, approve_peer
from django.utils import timezone
staff = Actor(id="1", name="{name}")
peer = add_peer("{url}", by=staff)
refresh_documents(peer, by=staff, now=timezone.now())
out = peer.keys.get().fingerprint
approve_peer(peer, key_fingerprint="{fingerprint}", by=staff)
"""
TOKEN = """
from django.contrib.auth.models import User
from fedhub.tokens.services import issue_token
User.objects.create_user("operator")
out = issue_token("operator", scopes=["peers-read", "peers-write"], days=1)
"""
FINGERPRINT = """
from peers.models import PeerKey
from peers.services.identity import hub_identity
out = PeerKey(public_key=hub_identity().public_key_b64).fingerprint
"""
REGISTER = """
from peers.services.agents import register_agent
register_agent("analyst", visibility="unlisted")
"""
DECIDE = """
from federations.services.actors import Actor
from peers.services import peers
peer = peers.find_peer("{url}")
peers.{verb}_peer(peer, reason="test", by=Actor(id="1", name="staff"))
"""


class Pair:
    """Two hubs that approved each other; `left` dispatches, `right` works."""

    def __init__(self, left: Hub, right: Hub) -> None:
        self.left, self.right = left, right
        self.token = str(left.do(TOKEN))
        right.do(REGISTER)
        fingerprints = {hub.name: str(hub.do(FINGERPRINT)) for hub in (left, right)}
        for hub, other in ((left, right), (right, left)):
            shown = hub.do(APPROVE.format(name=hub.name, url=other.url, fingerprint=fingerprints[other.name]))
            assert shown == fingerprints[other.name]

    def dispatch(self, **fields: Any) -> str:
        """Dispatch an intent to the other hub's agent by the API; return the dispatch's id."""
        body = {"intent_id": "i-1", "target_server": self.right.url, "agent_id": "analyst", "intent_title": "Sum up"}
        answer = httpx.post(
            f"{self.left.url}/api/v1/federation/dispatch", json=body | fields, headers={"X-API-Key": self.token}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["message"] == "Dispatch initiated"
        return str(answer.json()["dispatch_id"])

    def status(self, dispatch_id: str) -> str:
        """Return the dispatch's status by its row."""
        return str(self.left.rows("SELECT status FROM peers_dispatch WHERE id = ?", dispatch_id)[0][0])

    def wait_for(self, dispatch_id: str, status: str) -> None:
        """Wait until the dispatch has this status."""
        self.left.wait(lambda: self.status(dispatch_id) == status, f"dispatch is not {status}")

    def counters(self, hub: Hub) -> dict[str, Any]:
        """Return a hub's federation status."""
        headers = {"X-API-Key": self.token}
        return dict(httpx.get(f"{hub.url}/api/v1/federation/status", headers=headers).json())

    def decide(self, hub: Hub, verb: str) -> None:
        """Have a hub's staff decide about the other hub."""
        hub.do(DECIDE.format(url=(self.right if hub is self.left else self.left).url, verb=verb))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two hubs that run."""
    folder = tmp_path_factory.mktemp("hubs")
    database = template(folder / "template")
    hubs = [Hub(name, folder / name) for name in ("left", "right")]
    try:
        for hub in hubs:
            hub.create(database)
            hub.start("web", "worker", "beat")
        yield Pair(*hubs)
    finally:
        for hub in hubs:
            hub.kill()


def test_work_goes_out_and_its_callbacks_come_back(pair: Pair) -> None:
    before = pair.counters(pair.left)
    dispatch_id = pair.dispatch(
        delegation_scope={"permissions": ["state.patch", "events.log"]}, trace_context={"trace_id": "t-1"}
    )
    pair.wait_for(dispatch_id, "completed")
    state, attestation, is_attested, remote_id = pair.left.rows(
        "SELECT state, attestation, is_attested, remote_intent_id FROM peers_dispatch WHERE id = ?", dispatch_id
    )[0]
    assert json.loads(state) == {"status": "done", "agent": "analyst", "answer": "analyst: Sum up"}
    assert json.loads(attestation)["usage"] == {"llm_tokens": 2, "cost_usd": 0.0}
    assert json.loads(attestation)["governance_compliant"] is True
    assert is_attested == 1
    assert remote_id.startswith(f"fed-{dispatch_id[:8]}-")
    events = pair.left.rows(
        "SELECT event_type, json_extract(body, '$.trace_id') FROM peers_inboundcallback WHERE dispatch_id = ? "
        "ORDER BY received_at",
        dispatch_id,
    )
    assert events == [("state_delta", "t-1"), ("state_delta", "t-1"), ("completed", "t-1")]
    after = pair.counters(pair.left)
    assert after["peer_count"] == 1
    assert after["total_dispatches"] == before["total_dispatches"] + 1
    assert after["active_dispatches"] == before["active_dispatches"]


def test_receiver_that_was_stopped_gets_the_work_once_when_it_is_back(pair: Pair) -> None:
    pair.right.kill("web", "worker", "beat")
    dispatch_id = pair.dispatch(intent_id="i-2")
    pair.left.wait(
        lambda: pair.left.rows("SELECT attempts FROM peers_dispatch WHERE id = ?", dispatch_id)[0][0] >= 2,
        "no second attempt",
    )
    assert pair.status(dispatch_id) == "pending"
    pair.right.start("web", "worker", "beat")
    pair.wait_for(dispatch_id, "completed")
    received = pair.right.rows("SELECT count(*) FROM peers_receiveddispatch WHERE dispatch_id = ?", dispatch_id)
    intents = pair.right.rows("SELECT count(*) FROM peers_intent WHERE id LIKE ?", f"fed-{dispatch_id[:8]}-%")
    assert (received, intents) == ([(1,)], [(1,)])
