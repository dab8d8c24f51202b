"""The unmodified OpenIntent 0.17 clients read the hub's documents, status and agents, over a real socket."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from openintent import AsyncOpenIntentClient, OpenIntentClient
from openintent.exceptions import NotFoundError, OpenIntentError
from openintent.federation.models import FederatedAgent, FederationManifest, TrustPolicy

from core.tokens.services import issue_token
from peers.client import FederationClient
from peers.models import Peer
from peers.services.catalog.agents import register_agent
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.partner import HUB_DID, OPERATOR, Partner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(owner: User) -> str:
    return issue_token("owner", scopes=["peers-read", "peers-write"], days=1)


@pytest.fixture(autouse=True)
def agents(db: None) -> None:
    for visibility in ("public", "unlisted", "private"):
        register_agent(f"{visibility}-agent", capabilities=["analyze"], visibility=visibility)


def ask(is_async: bool, url: str, key: str, method: str, **arguments: Any) -> Any:
    """Call a method of the client and return its answer."""
    if not is_async:
        with OpenIntentClient(base_url=url, api_key=key, agent_id="tester") as client:
            return getattr(client, method)(**arguments)

    async def call() -> Any:
        async with AsyncOpenIntentClient(base_url=url, api_key=key, agent_id="tester") as client:
            return await getattr(client, method)(**arguments)

    return asyncio.run(call())


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
def test_federation_status(is_async: bool, live_server: Any, operator: str, alpha_peer: Peer) -> None:
    status = ask(is_async, live_server.url, operator, "federation_status")
    assert (status.enabled, status.server_did, status.peer_count) == (True, HUB_DID, 1)
    assert status.trust_policy == TrustPolicy.ALLOWLIST


@both
def test_list_federated_agents(
    is_async: bool, live_server: Any, operator: str, alpha: Partner, alpha_peer: Peer
) -> None:
    def ids(key: str, source_server: str | None) -> list[str]:
        found = ask(is_async, live_server.url, key, "list_federated_agents", source_server=source_server)
        assert [FederatedAgent.from_dict(agent).to_dict() for agent in found] == found
        return [agent["agent_id"] for agent in found]

    assert ids(operator, None) == ids(operator, alpha.url) == ["public-agent"]
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    assert ids(token, alpha.url) == ["public-agent", "unlisted-agent"]


@both
def test_federation_discover(is_async: bool, live_server: Any, operator: str) -> None:
    document = ask(is_async, live_server.url, operator, "federation_discover")
    manifest = FederationManifest.from_dict(document)
    assert (manifest.server_did, manifest.public_key) == (HUB_DID, hub_identity().public_key_b64)
    assert manifest.to_dict() == document


@both
def test_refusals_reach_the_clients_as_its_own_errors(
    is_async: bool, live_server: Any, operator: str, alpha_peer: Peer, settings: Any
) -> None:
    with pytest.raises(OpenIntentError) as unknown:
        ask(is_async, live_server.url, "wrong", "federation_status")
    assert unknown.value.status_code == 401
    with pytest.raises(OpenIntentError) as partner:
        token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
        ask(is_async, live_server.url, token, "federation_status")
    assert partner.value.status_code == 403
    settings.FEDHUB_ENABLED = False
    with pytest.raises(NotFoundError):
        ask(is_async, live_server.url, operator, "federation_discover")
    assert ask(is_async, live_server.url, operator, "federation_status").enabled is False


def test_this_hubs_own_client_reads_the_same(
    live_server: Any, operator: str, alpha: Partner, alpha_peer: Peer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.FEDHUB_SERVER_URL = live_server.url
    with FederationClient(live_server.url, operator) as client:
        assert client.federation_status().peer_count == 1
        assert client.federation_discover()["server_url"] == live_server.url
        assert [agent["agent_id"] for agent in client.list_federated_agents()] == ["public-agent"]
    with FederationClient(live_server.url, identity=alpha.identity) as client:
        assert len(client.list_federated_agents()) == 2
    assert operator not in caplog.text
