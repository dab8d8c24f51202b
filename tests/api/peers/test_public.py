"""The hub's public side: documents and agents for anyone, the status for operators."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from core.actors import Actor
from peers.models import Dispatch, DispatchState, Peer, ReceivedDispatch
from peers.protocol import VerificationKey, is_same_did, read_did_document
from peers.services.catalog.agents import register_agent
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import reject_peer, repropose_peer, resume_peer, retire_peer, suspend_peer
from tests.api.peers.partner import HUB, HUB_DID, OPERATOR, Partner
from tests.conftest import Api, MakeUser
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

MANIFEST = "/.well-known/openintent-federation.json"
DID = "/.well-known/did.json"
STATUS = "/api/v1/federation/status"
AGENTS = "/api/v1/federation/agents"
UNPROVEN = {"detail": "Invalid or missing API key", "message": "Invalid or missing API key"}
SCOPE_LACKS = {"detail": "Insufficient permissions", "message": "Insufficient permissions"}


def test_anyone_reads_the_manifest() -> None:
    response = Client().get(MANIFEST)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response["Cache-Control"] == "public, max-age=300"
    assert response.json() == {
        "server_did": HUB_DID,
        "server_url": HUB,
        "protocol_version": "0.1",
        "trust_policy": "allowlist",
        "visibility_default": "private",
        "supported_rfcs": ["RFC-0022", "RFC-0023"],
        "peers": [],
        "endpoints": {
            "status": "/api/v1/federation/status",
            "agents": "/api/v1/federation/agents",
            "dispatch": "/api/v1/federation/dispatch",
            "receive": "/api/v1/federation/receive",
            "callback": "/api/v1/federation/callback",
        },
        "public_key": hub_identity().public_key_b64,
    }


def test_approved_peers_are_published_by_setting_alone(
    alpha_peer: Peer, beta: Partner, stranger: Partner, settings: LazySettings
) -> None:
    stranger.propose()
    suspend_peer(Peer.objects.get(server_url=beta.url), reason="Audit", by=OPERATOR)
    assert Client().get(MANIFEST).json()["peers"] == []
    settings.FEDHUB_PUBLISH_PEERS = True
    assert Client().get(MANIFEST).json()["peers"] == [alpha_peer.server_url]


def test_anyone_reads_the_did_document_and_finds_the_hubs_key() -> None:
    document = Client().get(DID).json()
    assert is_same_did(document["id"], HUB_DID)
    keys: tuple[VerificationKey, ...] = read_did_document(document, HUB_DID)
    assert [key.base64 for key in keys] == [hub_identity().public_key_b64]
    assert "private" not in str(document).lower()


@pytest.mark.parametrize("path", [MANIFEST, DID])
def test_a_disabled_hub_has_no_documents(path: str, settings: LazySettings) -> None:
    settings.FEDHUB_ENABLED = False
    response = Client().get(path)
    assert response.status_code == 404
    assert response.json() == {"detail": "Federation not enabled", "message": "Federation not enabled"}


def test_status_counts_peers_dispatches_and_received_dispatches(
    api: Api, owner: User, alpha_peer: Peer, stranger: Partner
) -> None:
    stranger.propose()
    for number, status in enumerate(DispatchState.values):
        Dispatch.objects.create(
            id=f"d-{number}", intent_id="i", intent_title="t", target_server=HUB, status=status, envelope="{}"
        )
    ReceivedDispatch.objects.create(peer=alpha_peer, dispatch_id="r", body_digest="0", accepted=True, envelope={})
    reader = api(owner, "peers-read")
    with counted_queries() as queries:
        response = reader.get(STATUS)
    assert response.json() == {
        "enabled": True,
        "server_did": HUB_DID,
        "trust_policy": "allowlist",
        "peer_count": 1,
        "active_dispatches": 3,
        "total_dispatches": 6,
        "total_received": 1,
    }
    # Two of them read the roles of the token's user and of the user's groups.
    assert len(queries) <= 8, queries


def test_status_says_when_federation_is_disabled(api: Api, owner: User, settings: LazySettings) -> None:
    settings.FEDHUB_ENABLED = False
    response = api(owner, "peers-read").get(STATUS)
    assert response.status_code == 200
    body = response.json()
    assert (body["enabled"], body["server_did"], body["total_dispatches"]) == (False, None, 0)
    assert Client().get(STATUS).status_code == 401


def test_status_needs_a_token_with_its_scope(api: Api, owner: User, alpha_peer: Peer) -> None:
    assert (Client().get(STATUS).status_code, Client().get(STATUS).json()) == (401, UNPROVEN)
    others = api(owner, "federations-read federations-write system-ops peers-write").get(STATUS)
    assert (others.status_code, others.json()) == (403, SCOPE_LACKS)
    partners = Client().get(STATUS, headers={"X-API-Key": issue_peer_token(alpha_peer, days=1, by=OPERATOR)})
    assert (partners.status_code, partners.json()) == (403, SCOPE_LACKS)
    assert api(owner, "peers-read").get(STATUS).status_code == 200


def test_a_session_reads_the_status_by_its_users_permissions(make_user: MakeUser, client: Client) -> None:
    user = make_user("ines")
    client.force_login(user)
    assert client.get(STATUS).status_code == 403
    user.is_superuser = True
    user.save()
    assert client.get(STATUS).status_code == 200


# Agents -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def agents(db: None) -> None:
    for visibility in ("public", "unlisted", "private"):
        register_agent(f"{visibility}-agent", visibility=visibility)


def listed(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [agent["agent_id"] for agent in response.json()["agents"]]


def signed_get(partner: Partner, *, signed_method: str = "GET", **changes: Any) -> Any:
    headers: dict[str, Any] = {**partner.headers(b"", path=AGENTS, method=signed_method, **changes)}
    return Client().get(AGENTS, CONTENT_TYPE="application/json", **headers)


PUBLIC = ["public-agent"]
ALSO_UNLISTED = ["public-agent", "unlisted-agent"]


@pytest.mark.usefixtures("agents")
def test_an_unknown_caller_sees_public_agents_whichever_server_it_names(alpha: Partner, alpha_peer: Peer) -> None:
    assert listed(Client().get(AGENTS)) == PUBLIC
    claims = {"X-Source-Server": alpha.url, "X-Agent-ID": "unlisted-agent", "X-Forwarded-Host": "alpha.example.org"}
    assert listed(Client().get(AGENTS, headers=claims)) == PUBLIC


@pytest.mark.usefixtures("agents")
def test_a_peer_sees_unlisted_agents_by_its_signature_or_its_token(alpha: Partner, alpha_peer: Peer) -> None:
    assert listed(signed_get(alpha)) == ALSO_UNLISTED
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    assert listed(Client().get(AGENTS, headers={"X-API-Key": token})) == ALSO_UNLISTED
    assert listed(Client().get(AGENTS, headers={"Authorization": f"Bearer {token}"})) == ALSO_UNLISTED


@pytest.mark.usefixtures("agents")
def test_an_operator_sees_public_agents_alone(api: Api, owner: User) -> None:
    assert listed(api(owner, "peers-read peers-write").get(AGENTS)) == PUBLIC


@pytest.mark.usefixtures("agents")
def test_a_suspended_peer_sees_no_unlisted_agents(alpha: Partner, alpha_peer: Peer) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    assert listed(signed_get(alpha)) == ALSO_UNLISTED
    suspend_peer(alpha_peer, reason="Audit", by=OPERATOR)
    assert listed(signed_get(alpha)) == PUBLIC
    assert Client().get(AGENTS, headers={"X-API-Key": token}).status_code == 401
    resume_peer(alpha_peer, by=OPERATOR)
    assert listed(signed_get(alpha)) == ALSO_UNLISTED
    retire_peer(alpha_peer, by=OPERATOR)
    assert listed(signed_get(alpha)) == PUBLIC


@pytest.mark.usefixtures("agents")
def test_a_key_that_is_not_pinned_proves_nothing(stranger: Partner) -> None:
    assert signed_get(stranger).status_code == 401
    peer = stranger.propose()
    assert signed_get(stranger).status_code == 401
    reject_peer(peer, reason="Unknown to us", by=OPERATOR)
    assert signed_get(stranger).status_code == 401
    repropose_peer(peer, by=Actor(id="", name="x"))
    assert signed_get(stranger).status_code == 401


@pytest.mark.usefixtures("agents")
def test_a_failing_proof_is_refused_and_not_ignored(alpha: Partner, beta: Partner, alpha_peer: Peer) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    refusals = [
        signed_get(alpha, signed_method="POST"),
        signed_get(alpha, target_uri=f"https://other.example.com{AGENTS}"),
        signed_get(alpha, target_uri=f"{HUB}{AGENTS}?more=1"),
        signed_get(alpha, created=1),
        signed_get(alpha, keyid="did:web:beta.example.org"),
        signed_get(alpha, keyid="did:web:nobody.example.org"),
        signed_get(alpha, keyid="https://alpha.example.org/key"),
        Client().get(AGENTS, HTTP_SIGNATURE="sig1=:AAAA:"),
        Client().get(AGENTS, headers={"X-API-Key": "wrong"}),
        Client().get(AGENTS, headers={"Authorization": "Basic eDp5"}),
        Client().get(AGENTS, headers={"X-API-Key": token, "Authorization": "Bearer other"}),
    ]
    for number, response in enumerate(refusals):
        assert response.status_code == 401, number
        assert set(response.json()) == {"detail", "message"}
    headers: dict[str, Any] = beta.headers(b"", path=AGENTS, method="GET") | {"HTTP_X_API_KEY": token}
    both = Client().get(AGENTS, CONTENT_TYPE="application/json", **headers)
    assert both.status_code == 403
    assert both.json()["message"].endswith("not trusted")


@pytest.mark.usefixtures("agents")
def test_a_disabled_hub_lists_no_agents(alpha: Partner, alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_ENABLED = False
    assert listed(Client().get(AGENTS)) == []
    assert listed(signed_get(alpha)) == []


def test_an_agent_comes_in_the_documented_shape(settings: LazySettings) -> None:
    register_agent("analyst", capabilities=["analyze"])
    assert Client().get(AGENTS).json() == {
        "agents": [
            {
                "agent_id": "analyst",
                "server_url": HUB,
                "capabilities": ["analyze"],
                "visibility": "public",
                "server_did": HUB_DID,
                "status": "active",
            }
        ]
    }
