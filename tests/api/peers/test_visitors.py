"""Permission to see agents and to dispatch: peers by their proofs, operators by their tokens."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User

from core.oidc.signing_key import load_or_create
from core.tokens.services import issue_token
from peers.models import Peer
from peers.services.catalog.agents import register_agent
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import suspend_peer
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import HUB, OPERATOR, RECEIVE, Partner, get, send

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/federation/agents"
DISPATCH = "/api/v1/federation/dispatch"
STATUS = "/api/v1/federation/status"
ALL = ["public-one", "unlisted-one"]


@pytest.fixture(autouse=True)
def agents(db: None) -> None:
    """One agent of each visibility."""
    for visibility in ("public", "unlisted", "private"):
        register_agent(f"{visibility}-one", visibility=visibility)


def seen(headers: dict[str, str] | None = None, path: str = AGENTS) -> Any:
    response = get(path, headers)
    return (
        [agent["agent_id"] for agent in response.json()["agents"]]
        if response.status_code == 200
        else response.status_code
    )


def signed(partner: Partner, path: str = AGENTS, **changes: Any) -> dict[str, str]:
    return partner.headers(b"", path=path, method="GET", **changes) | {"CONTENT_TYPE": "application/json"}


def test_anyone_sees_public_agents_and_headers_that_name_a_peer_change_nothing(
    alpha: Partner, alpha_peer: Peer
) -> None:
    assert seen() == ["public-one"]
    assert seen({"HTTP_X_SOURCE_SERVER": alpha.url, "HTTP_X_AGENT_ID": "admin"}) == ["public-one"]


def test_an_approved_peer_sees_unlisted_agents_too(alpha: Partner, alpha_peer: Peer) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)

    assert seen(signed(alpha)) == ALL
    assert seen({"HTTP_X_API_KEY": token}) == ALL
    assert seen(signed(alpha) | {"HTTP_AUTHORIZATION": f"Bearer {token}"}) == ALL


def test_a_suspended_peer_sees_public_agents_alone(alpha: Partner, alpha_peer: Peer) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    suspend_peer(alpha_peer, reason="Incident", by=OPERATOR)

    assert seen(signed(alpha)) == ["public-one"]
    assert seen({"HTTP_X_API_KEY": token}) == 401


def test_a_failing_proof_is_not_ignored(alpha: Partner, alpha_peer: Peer, beta: Partner, stranger: Partner) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)

    assert seen(signed(stranger)) == 401
    assert seen(signed(alpha, keyid=beta.identity.did)) == 401
    assert seen(signed(alpha, target_uri=f"{HUB}/other")) == 401
    assert seen(signed(alpha), path=f"{AGENTS}?x=1") == 401
    assert seen(signed(alpha) | {"HTTP_X_API_KEY": "nonsense"}) == 401
    assert seen(signed(beta) | {"HTTP_X_API_KEY": token}) == 403
    assert seen({"HTTP_X_API_KEY": "nonsense"}) == 401


def test_an_operator_sees_public_agents(owner: User) -> None:
    token = issue_token(owner.username, scopes=["peers-read"], days=1)

    assert seen({"HTTP_X_API_KEY": token}) == ["public-one"]


# Operators' endpoints -----------------------------------------------------------------------------------------------
def test_a_peers_token_opens_no_endpoint_of_operators(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    headers = {"HTTP_X_API_KEY": issue_peer_token(alpha_peer, days=1, by=OPERATOR)}
    assert_refused.start()

    assert_refused(send({"target_server": alpha.url, "intent_id": "i"}, headers, path=DISPATCH), 403, "permission")
    assert_refused(send({"title": "Mine"}, headers, path="/api/v1/intents"), 403)
    for path in (STATUS, "/api/v1/intents"):
        assert_refused(get(path, headers), 403)


def test_a_peers_signature_does_not_replace_an_operators_token(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused
) -> None:
    body = b'{"target_server": "https://beta.example.org", "intent_id": "i"}'
    assert_refused.start()

    assert_refused(send(body, alpha.headers(body, path=DISPATCH), path=DISPATCH), 401, "Invalid or missing API key")


def test_a_runtime_jwt_of_the_hubs_own_opens_no_endpoint(
    alpha: Partner, alpha_peer: Peer, owner: User, settings: LazySettings, assert_refused: Refused
) -> None:
    key = load_or_create(settings.FEDHUB_OIDC_KEY_PATH)
    claims = {"iss": HUB, "aud": HUB, "sub": owner.username, "scope": "peers-read peers-write", "exp": 4_000_000_000}
    token = jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})
    messages: dict[str, object] = {
        DISPATCH: {"target_server": alpha.url, "intent_id": "i"},
        RECEIVE: alpha.envelope(),
        "/api/v1/intents": {"title": "t"},
    }
    assert_refused.start()

    for headers in ({"HTTP_AUTHORIZATION": f"Bearer {token}"}, {"HTTP_X_API_KEY": token}):
        for path, message in messages.items():
            assert_refused(send(message, headers, path=path), 401, "Invalid or missing API key")
        assert_refused(get(STATUS, headers), 401)
