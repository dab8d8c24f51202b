"""The unmodified OpenIntent 0.17 clients call all their federation methods on a hub that runs as in production."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openintent import AsyncOpenIntentClient, OpenIntentClient
from openintent.exceptions import OpenIntentError
from openintent.federation.models import CallbackEventType, DispatchStatus, FederationManifest, TrustPolicy

from peers.models import Dispatch, Intent, ReceivedDispatch
from tests.contract.peer_hubs import Hub, template

PARTNER = "https://partner.example.com"
SET_UP = f"""
from django.contrib.auth.models import User
from core.actors import Actor
from core.tokens.services import issue_token
from peers.services.catalog.agents import register_agent
from peers.services.trust.peers import add_peer, approve_peer
from peers.services.trust.peer_tokens import issue_peer_token
staff = Actor(id="1", name="staff")
User.objects.create_superuser("operator")
peer = add_peer("{PARTNER}", by=staff)
approve_peer(peer, key_fingerprint="", by=staff)
for visibility in ("public", "unlisted", "private"):
    register_agent(visibility, capabilities=["analyze"], visibility=visibility)
out = [issue_token("operator", scopes=["peers-read", "peers-write"], days=1), issue_peer_token(peer, days=1, by=staff)]
"""

Call = Callable[..., Any]


class Running:
    """A hub's web process, an operator's token and a token that is bound to a peer."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.operator, self.partner = hub.do(SET_UP)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> Iterator[Running]:
    """A hub without a worker, so that its messages stay in the outbox."""
    folder = tmp_path_factory.mktemp("openintent")
    hub = Hub("hub", folder / "hub", extra={"FEDHUB_HANDLERS": ""})
    hub.create(template(folder / "template"))
    try:
        hub.start("web")
        yield Running(hub)
    finally:
        hub.kill()


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, running: Running) -> Call:
    """Call a method of one of the two clients with a key, and return its answer."""

    def call_sync(key: str, method: str, **arguments: Any) -> Any:
        with OpenIntentClient(base_url=running.hub.url, api_key=key, agent_id="tester") as client:
            return getattr(client, method)(**arguments)

    async def call_async(key: str, method: str, **arguments: Any) -> Any:
        async with AsyncOpenIntentClient(base_url=running.hub.url, api_key=key, agent_id="tester") as client:
            return await getattr(client, method)(**arguments)

    if request.param == "sync":
        return call_sync
    return lambda *args, **arguments: asyncio.run(call_async(*args, **arguments))


def dispatch(call: Call, running: Running, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "intent_id": "intent-1",
        "target_server": PARTNER,
        "agent_id": "analyst",
        "delegation_scope": {"permissions": ["state.patch", "events.log"]},
        "federation_policy": {"budget": {"max_llm_tokens": 1000}},
        "trace_context": {"trace_id": "t-1"},
    }
    return call(running.operator, "federation_dispatch", **(arguments | changes))


def receive(call: Call, key: str, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "dispatch_id": str(uuid.uuid4()),
        "source_server": PARTNER,
        "intent_id": "intent-1",
        "intent_title": "Sum up",
        "intent_state": {"phase": "draft"},
        "agent_id": "unlisted",
        "delegation_scope": {"permissions": ["state.patch"]},
        "federation_policy": {"budget": {"max_llm_tokens": 1000}},
        "callback_url": f"{PARTNER}/callbacks",
    }
    return call(key, "federation_receive", **(arguments | changes))


def refusal(call: Call, *args: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(OpenIntentError) as refused:
        call(*args, **arguments)
    return refused.value.status_code, str(refused.value)


def test_federation_status(call: Call, running: Running) -> None:
    status = call(running.operator, "federation_status")
    assert (status.enabled, status.peer_count, status.trust_policy) == (True, 1, TrustPolicy.ALLOWLIST)
    assert status.server_did == f"did:web:127.0.0.1%3A{running.hub.port}"


def test_list_federated_agents(call: Call, running: Running) -> None:
    agents = call(running.operator, "list_federated_agents")
    assert [(agent["agent_id"], agent["capabilities"]) for agent in agents] == [("public", ["analyze"])]
    claimed = call(running.operator, "list_federated_agents", source_server=PARTNER)
    assert [agent["agent_id"] for agent in claimed] == ["public"]
    proven = call(running.partner, "list_federated_agents", source_server=PARTNER)
    assert [agent["agent_id"] for agent in proven] == ["public", "unlisted"]


def test_federation_discover(call: Call, running: Running) -> None:
    manifest = FederationManifest.from_dict(call(running.operator, "federation_discover"))
    assert (manifest.server_url, manifest.trust_policy) == (running.hub.url, TrustPolicy.ALLOWLIST)
    assert manifest.server_did == call(running.operator, "federation_status").server_did
    assert len(manifest.public_key or "") == 44


def test_federation_dispatch(call: Call, running: Running) -> None:
    result = dispatch(call, running)
    assert (result.status, result.target_server) == (DispatchStatus.ACCEPTED, PARTNER)
    row = running.hub.stored(Dispatch).get(pk=result.dispatch_id)
    assert (row.intent_id, row.agent_id, row.trace_id) == ("intent-1", "analyst", "t-1")


def test_federation_dispatch_is_not_for_peers(call: Call, running: Running) -> None:
    before = running.hub.stored(Dispatch).count()
    status, _ = refusal(call, running.partner, "federation_dispatch", intent_id="i", target_server=PARTNER)
    assert status == 403
    assert running.hub.stored(Dispatch).count() == before


def test_federation_receive(call: Call, running: Running) -> None:
    dispatch_id = str(uuid.uuid4())
    first = receive(call, running.partner, dispatch_id=dispatch_id, idempotency_key=f"key-{dispatch_id}")
    assert (first.accepted, first.dispatch_id) == (True, dispatch_id)
    received = running.hub.stored(ReceivedDispatch).get(dispatch_id=dispatch_id)
    intent = running.hub.stored(Intent).get(pk=received.intent_id)
    assert (intent.pk, intent.title) == (first.local_intent_id, "Sum up")
    again = receive(call, running.partner, dispatch_id=dispatch_id, idempotency_key=f"key-{dispatch_id}")
    assert (again.local_intent_id, again.message) == (first.local_intent_id, "Already processed (idempotent)")


def test_federation_receive_without_budget(call: Call, running: Running) -> None:
    result = receive(call, running.partner, federation_policy={"budget": {"max_llm_tokens": 0}})
    assert (result.accepted, result.local_intent_id) == (False, None)


def test_federation_receive_is_for_the_tokens_own_peer_alone(call: Call, running: Running) -> None:
    before = running.hub.stored(ReceivedDispatch).count()
    claimed = {"source_server": "https://other.example.com", "callback_url": None}
    assert refusal(lambda: receive(call, running.partner, **claimed))[0] == 403
    assert refusal(lambda: receive(call, running.operator))[0] == 401
    assert refusal(lambda: receive(call, "wrong"))[0] == 401
    assert running.hub.stored(ReceivedDispatch).count() == before


def test_send_federation_callback(call: Call, running: Running) -> None:
    dispatch_id = dispatch(call, running).dispatch_id
    arguments = {
        "callback_url": f"{running.hub.url}/api/v1/federation/callback",
        "dispatch_id": dispatch_id,
        "event_type": CallbackEventType.STATE_DELTA.value,
        "state_delta": {"phase": "done"},
        "trace_id": "t-1",
    }
    # Only the peer that got the dispatch may report; an operator of this hub may not report in its name.
    assert refusal(call, running.operator, "send_federation_callback", **arguments)[0] == 401
    assert isinstance(call(running.partner, "send_federation_callback", **arguments), dict)
    assert running.hub.stored(Dispatch).get(pk=dispatch_id).state["phase"] == "done"


def test_refusals_are_the_clients_own_errors(call: Call, running: Running) -> None:
    for method in ("federation_status", "list_federated_agents"):
        assert refusal(call, "wrong", method)[0] == 401
    status, text = refusal(lambda: dispatch(call, running, target_server="http://169.254.169.254"))
    assert (status, "blocked by SSRF protection" in text) == (400, True)
    assert refusal(lambda: dispatch(call, running, federation_policy={"budget": 5}))[0] in (400, 422)
