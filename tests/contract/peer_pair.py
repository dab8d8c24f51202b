"""Two hubs that approved each other: one dispatches, the other works."""

from __future__ import annotations

from typing import Any

import httpx

from peers.models import Dispatch
from tests.contract.peer_hubs import Hub

APPROVE = """
from core.actors import Actor
from peers.services.trust.peer_documents import refresh_documents
from peers.services.trust.peers import add_peer, approve_peer
from django.utils import timezone
staff = Actor(id="1", name="{name}")
peer = add_peer("{url}", by=staff)
refresh_documents(peer, by=staff, now=timezone.now())
out = peer.keys.get().fingerprint
approve_peer(peer, key_fingerprint="{fingerprint}", by=staff)
"""
TOKEN = """
from django.contrib.auth.models import User
from core.tokens.services import issue_token
User.objects.create_superuser("operator")
out = issue_token("operator", scopes=["peers-read", "peers-write"], days=1)
"""
FINGERPRINT = """
from peers.models import PeerKey
from peers.services.trust.identity import hub_identity
out = PeerKey(public_key=hub_identity().public_key_b64).fingerprint
"""
REGISTER = """
from peers.services.catalog.agents import register_agent
register_agent("analyst", visibility="unlisted")
"""
DECIDE = """
from core.actors import Actor
from peers.services.trust import peers
peer = peers.find_peer("{url}")
peers.{verb}_peer(peer, reason="test", by=Actor(id="1", name="staff"))
"""
RETRY = """
from core.actors import Actor
from peers.models import Dispatch
from peers.services.outbox.dead_letters import retry_dead
retry_dead(Dispatch.objects.get(pk="{dispatch_id}"), by=Actor(id="1", name="staff"))
"""


class Pair:
    """Two hubs that approved each other; `left` dispatches, `right` works."""

    def __init__(self, left: Hub, right: Hub) -> None:
        self.left, self.right = left, right
        # Each of these starts a process.
        self.token, of_left = left.do(f"{FINGERPRINT}found = out\n{TOKEN}out = [out, found]")
        fingerprints = {left.name: of_left, right.name: str(right.do(REGISTER + FINGERPRINT))}
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
        """Return the status of the dispatch's row."""
        return self.left.stored(Dispatch).get(pk=dispatch_id).status

    def wait_for(self, dispatch_id: str, status: str) -> None:
        """Wait until the dispatch has this status."""
        self.left.wait(lambda: self.status(dispatch_id) == status, f"dispatch is not {status}")

    def counters(self, hub: Hub) -> dict[str, Any]:
        """Return a hub's status by the API."""
        headers = {"X-API-Key": self.token}
        return dict(httpx.get(f"{hub.url}/api/v1/federation/status", headers=headers).json())

    def decide(self, hub: Hub, verb: str) -> None:
        """Decide about the other hub, as a hub's staff."""
        hub.do(DECIDE.format(url=(self.right if hub is self.left else self.left).url, verb=verb))
