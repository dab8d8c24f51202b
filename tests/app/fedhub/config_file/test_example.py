"""The example of the documentation works on a cloud: what it names is there, and found by the next sync."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from core.notifications.webhooks import new_secret
from federations.models import A2aAgent, Federation
from federations.services.run import run_sync
from federations.services.start import start_sync
from fedhub.config_file.apply import BY
from peers.models import Peer, PeerState
from peers.services.catalog.agents import visible_agents
from sandbox.client import SandboxClient
from tests.app.fedhub.config_file.conftest import Apply
from tests.app.peers.staff.conftest import KEY, Partner

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLE = Path(__file__).resolve().parents[4] / "docs" / "hub.example.yaml"


def test_the_example_is_applied_and_synced(
    apply: Apply, partner: Partner, cloud: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTNER_KEY", "a-key-of-the-example")
    monkeypatch.setenv("CHAT_WEBHOOK_SECRET", new_secret())
    User.objects.bulk_create(User(username=name) for name in ("alice", "bob"))
    partner.publish(KEY)
    cloud.add("claims_triage", "A2A", tags={"stage": "production"})
    cloud.add("other", "A2A", tags={"stage": "staging"})
    text = EXAMPLE.read_text(encoding="utf-8").replace("https://partner.example.org", partner.url)

    assert apply(text, "--yes")[0] == 0

    assert apply(text, "--plan", "--prune")[0] == 0
    run_sync(start_sync(Federation.objects.get(display_name="Production"), by=BY).id)
    assert A2aAgent.objects.get().path == "/agentcore/a2a/claims-triage"
    peer = Peer.objects.get(state=PeerState.APPROVED)
    assert [agent.agent_id for agent in visible_agents(peer)] == ["claims-triage", "help-desk"]
    assert [agent.agent_id for agent in visible_agents(None)] == ["help-desk"]
