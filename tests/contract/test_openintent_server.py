"""A plain OpenIntent server and a hub dispatch to each other.

The server checks no signature but requires X-API-Key; it signs its messages but sends no key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openintent import OpenIntentClient
from openintent.federation.security import verify_envelope_signature

from peers.models import Dispatch, InboundCallback, Intent, ReceivedDispatch
from tests.contract.peer_hubs import Hub, free_port, template
from tests.openintent_server import API_KEY, CALLBACK_PATH, OpenIntentProcess

# The first test needs a hub without the key that the second one gives it.
pytestmark = [pytest.mark.timeout(180), pytest.mark.in_order]

SET_UP = """
from django.contrib.auth.models import User
from core.actors import Actor
from core.tokens.services import issue_token
from peers.models import PeerKey
from peers.protocol import VerificationKey
from peers.services.catalog.agents import register_agent
from peers.services.trust.identity import hub_identity
User.objects.create_superuser("operator")
register_agent("analyst", visibility="unlisted")
token = issue_token("operator", scopes=["peers-read", "peers-write"], days=1)
out = [token, hub_identity().public_key_b64, VerificationKey.from_base64("{key}").fingerprint]
"""
GIVE_KEY = """
from core.actors import Actor
from peers.services.trust.peers import find_peer, set_outbound_key
set_outbound_key(find_peer("{url}"), "{key}", by=Actor(id="1", name="staff"))
"""


class Pair:
    """A hub and an OpenIntent server; staff of the hub fetched its documents, compared its key and approved it."""

    def __init__(self, hub: Hub, other: OpenIntentProcess) -> None:
        self.hub, self.other = hub, other
        self.token, self.hub_key, fingerprint = hub.do(SET_UP.format(key=other.identity.public_key_b64))
        hub.run("manage.py", "peer", "add", "--url", other.url, "--fingerprint", fingerprint, "--approve")

    def dispatch(self, **fields: Any) -> str:
        """Make the hub dispatch to the server; return the dispatch's id."""
        body = {"intent_id": "i-1", "target_server": self.other.url, "intent_title": "Sum up", **fields}
        url = f"{self.hub.url}/api/v1/federation/dispatch"
        answer = httpx.post(url, json=body, headers={"X-API-Key": self.token})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["dispatch_id"])

    def row(self, dispatch_id: str) -> Dispatch:
        """Return the hub's row of a dispatch."""
        return self.hub.stored(Dispatch).get(pk=dispatch_id)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> Iterator[Pair]:
    """The hub with its worker and beat, and the server, as processes."""
    folder = tmp_path_factory.mktemp("hub-and-openintent")
    hub = Hub(
        "hub", folder / "hub", {"DEBUG": "true", "ALLOWED_HOSTS": "127.0.0.2", "AWS_REGION": "us-east-1"}, "127.0.0.2"
    )
    hub.create(template(folder / "template"))
    with OpenIntentProcess(f"http://127.0.0.3:{free_port()}", [hub.url], folder / "openintent") as other:
        try:
            hub.start("web", "worker", "beat")
            yield Pair(hub, other)
        finally:
            hub.kill()


def test_hub_sends_nothing_twice_where_its_key_is_missing(pair: Pair) -> None:
    dispatch_id = pair.dispatch(intent_id="i-0")
    pair.hub.wait(lambda: pair.row(dispatch_id).dead_at, "no dead letter")
    row = pair.row(dispatch_id)
    assert (row.last_status_code, row.attempts) == (401, 1)
    assert "Invalid or missing API key" in row.last_error


def test_hub_dispatches_to_openintent_and_takes_its_callback(pair: Pair) -> None:
    pair.hub.do(GIVE_KEY.format(url=pair.other.url, key=API_KEY))
    before = pair.other.status()["total_received"]
    dispatch_id = pair.dispatch(agent_id="helper", intent_state={"phase": "draft"}, trace_context={"trace_id": "t-1"})
    # The server reports "accepted" twice: in its answer, and in a callback of which only the body is signed.
    pair.hub.wait(lambda: pair.row(dispatch_id).status == "accepted", "not accepted")
    callbacks = pair.hub.stored(InboundCallback).filter(dispatch_id=dispatch_id)
    pair.hub.wait(callbacks.exists, "no callback")
    row = pair.row(dispatch_id)
    assert row.remote_intent_id.startswith(f"fed-{dispatch_id[:8]}-")
    assert row.state == {"phase": "draft", "status": "accepted"}
    assert pair.other.status()["total_received"] == before + 1
    sent = json.loads(row.envelope)
    assert verify_envelope_signature(pair.hub_key, sent, sent["signature"])
    (callback,) = callbacks
    assert (callback.event_type, callback.is_applied) == ("state_delta", True)
    assert (callback.body["idempotency_key"], callback.body["trace_id"]) == (f"accept-{dispatch_id}", "t-1")


def test_openintent_dispatches_to_hub_and_gets_its_callbacks(pair: Pair) -> None:
    with OpenIntentClient(base_url=pair.other.url, api_key=API_KEY, agent_id="tester") as client:
        result = client.federation_dispatch(
            "intent-9",
            pair.hub.url,
            agent_id="analyst",
            delegation_scope={"permissions": ["state.patch", "events.log"]},
            callback_url=pair.other.url + CALLBACK_PATH,
            trace_context={"trace_id": "t-9"},
        )

    def mine() -> list[dict[str, Any]]:
        return [callback for callback in pair.other.callbacks if callback["dispatch_id"] == result.dispatch_id]

    pair.hub.wait(lambda: len(mine()) >= 3, "not three callbacks")
    received = pair.hub.stored(ReceivedDispatch).get(dispatch_id=result.dispatch_id)
    assert received.accepted
    assert pair.hub.stored(Intent).get(pk=received.intent_id).title == "intent-9"
    assert [callback["event_type"] for callback in mine()] == ["state_delta", "state_delta", "completed"]
    assert {callback["trace_id"] for callback in mine()} == {"t-9"}
    assert mine()[-1]["attestation"]["governance_compliant"] is True
    for callback in mine():
        assert verify_envelope_signature(pair.hub_key, callback, callback["signature"])


def test_openintent_is_refused_once_it_is_suspended(pair: Pair) -> None:
    pair.hub.run("manage.py", "peer", "suspend", pair.other.url, "--reason", "test")
    before = pair.hub.stored(ReceivedDispatch).count()
    try:
        with OpenIntentClient(base_url=pair.other.url, api_key=API_KEY, agent_id="tester") as client:
            client.federation_dispatch("intent-10", pair.hub.url)
        # The server tries three times, one and two seconds apart, and then gives up.
        pair.hub.wait(lambda: pair.other.log.read_text(encoding="utf-8").count("attempt 3 failed: 403"), "no refusal")
        assert pair.hub.stored(ReceivedDispatch).count() == before
    finally:
        pair.hub.run("manage.py", "peer", "resume", pair.other.url, "--reason", "test")
