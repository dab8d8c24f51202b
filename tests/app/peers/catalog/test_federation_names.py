"""FederationState, configure_federation and create_federation_router as a Django project uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from core.errors import InvalidRequestError
from peers.federation import FederationState, configure_federation, create_federation_router
from peers.models import Peer, PeerDecision, PeerState, RegisteredAgent
from peers.protocol import AgentVisibility, InvalidIdentifier, ServerIdentity, TrustPolicy
from peers.services.trust.identity import choose_identity, hub_identity

pytestmark = pytest.mark.django_db

HUB = "https://hub.example.com"
PARTNER = "https://partner.example.com"


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path) -> Iterator[None]:
    # This also restores the settings that configure_federation sets.
    with override_settings(FEDHUB_SERVER_URL=HUB, FEDHUB_KEY_PATH=tmp_path / "hub_key"):
        yield
    choose_identity(None)


def test_what_is_not_given_stays_as_the_settings_have_it() -> None:
    state = configure_federation(HUB)
    assert state.enabled
    assert state.server_url == HUB
    assert state.identity is hub_identity()
    assert state.trust_policy is TrustPolicy.ALLOWLIST
    assert state.visibility_default is AgentVisibility.PRIVATE
    assert state.peers == []


def test_what_is_given_holds_for_the_whole_process() -> None:
    identity = ServerIdentity.generate(HUB)
    state = configure_federation(
        server_url=f"{HUB}/",
        server_did="did:web:hub.example.com",
        trust_policy=TrustPolicy.TRUSTLESS,
        visibility_default="public",
        identity=identity,
    )
    assert (state.trust_policy, state.visibility_default) == (TrustPolicy.TRUSTLESS, AgentVisibility.PUBLIC)
    manifest = Client().get("/.well-known/openintent-federation.json").json()
    assert manifest["trust_policy"] == "trustless"
    assert manifest["visibility_default"] == "public"
    assert manifest["public_key"] == identity.public_key_b64


def test_a_named_peer_is_proposed_once_and_trusted_by_staff_alone() -> None:
    for _ in range(2):
        state = configure_federation(HUB, peers=[PARTNER, f"{PARTNER}/"])
    peer = Peer.objects.get()
    assert (peer.server_url, peer.state) == (PARTNER, PeerState.PROPOSED)
    assert PeerDecision.objects.get().actor_name == "configure_federation"
    assert state.peers == []
    Peer.objects.update(state=PeerState.APPROVED)
    assert state.peers == [PARTNER]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"server_url": "https://other.example.com"}, ImproperlyConfigured),
        ({"server_url": "not a url"}, ImproperlyConfigured),
        ({"server_url": HUB, "server_did": "did:web:other.example.com"}, ImproperlyConfigured),
        ({"server_url": HUB, "trust_policy": "everybody"}, ValueError),
        ({"server_url": HUB, "visibility_default": "hidden"}, ValueError),
        ({"server_url": HUB, "identity": ServerIdentity.generate("https://other.example.com")}, InvalidIdentifier),
        ({"server_url": HUB, "peers": ["http://169.254.169.254"]}, InvalidRequestError),
        ({"server_url": HUB, "peers": ["javascript:alert(1)"]}, InvalidRequestError),
    ],
)
def test_what_contradicts_the_settings_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        configure_federation(**arguments)
    assert not Peer.objects.exists()


def test_a_registered_agent_is_stored_and_shown_to_whom_its_visibility_says() -> None:
    state = FederationState()
    state.register_agent("analyst", capabilities=["analyze"])
    state.register_agent("clerk", visibility=AgentVisibility.UNLISTED, server_url="https://agents.example.com")
    state.register_agent("spy", visibility="private")
    assert RegisteredAgent.objects.count() == 3
    Peer.objects.create(server_url=PARTNER, state=PeerState.APPROVED)

    def seen_by(server: str | None) -> list[str]:
        return [agent.agent_id for agent in FederationState().get_visible_agents(server)]

    assert seen_by(None) == seen_by("https://unknown.example.com") == seen_by("nonsense") == ["analyst"]
    assert seen_by(PARTNER) == seen_by(f"{PARTNER}/") == ["analyst", "clerk"]
    assert state.get_visible_agents(PARTNER)[1].server_url == "https://agents.example.com"
    assert state.manifest.server_url == HUB
    assert state.status.enabled


def test_the_router_has_every_endpoint_of_federation() -> None:
    routes = {str(pattern.pattern).removeprefix("^").removesuffix(r"/?\Z") for pattern in create_federation_router()}
    assert routes == {
        r"\.well-known/openintent-federation\.json",
        r"\.well-known/did\.json",
        *(f"api/v1/federation/{name}" for name in ("status", "agents", "dispatch", "receive", "callback")),
        "api/v1/federation/log/checkpoints",
    }


def only_the_house_key(key: str) -> None:
    if key != "house-key":
        raise AuthenticationFailed("no")


def refuse_guests(key: str) -> bool:
    return False


def forbid(key: str) -> None:
    raise PermissionDenied("closed today")


class Urlconf:
    """The urls.py of a Django project."""

    def __init__(self, validate: Any) -> None:
        self.urlpatterns = create_federation_router(validate)


def test_a_check_of_the_projects_own_comes_on_top_of_the_hubs() -> None:
    agents, status = "/api/v1/federation/agents", "/api/v1/federation/status"
    with override_settings(ROOT_URLCONF=Urlconf(only_the_house_key)):
        client = Client()
        refused = client.get(agents)
        assert (refused.status_code, refused.json()["message"]) == (401, "Invalid or missing API key")
        assert client.get(agents, headers={"X-API-Key": "house-key"}).status_code == 401, "the hub does not know it"
        assert client.get("/.well-known/did.json").status_code == 200
        assert client.get(status, headers={"Authorization": "Bearer house-key"}).status_code == 401
    with override_settings(ROOT_URLCONF=Urlconf(lambda key: None)):
        assert Client().get(agents).json() == {"agents": []}
        assert Client().get(status).status_code == 401
    with override_settings(ROOT_URLCONF=Urlconf(refuse_guests)):
        assert Client().get(agents).status_code == 401
    with override_settings(ROOT_URLCONF=Urlconf(forbid)):
        refused = Client().post("/api/v1/federation/receive", {}, content_type="application/json")
        assert (refused.status_code, refused.json()) == (403, {"detail": "closed today", "message": "closed today"})


def test_names_are_importable_as_documented(settings: LazySettings) -> None:
    from peers import federation

    for name in ("FederationState", "configure_federation", "create_federation_router"):
        assert callable(getattr(federation, name))
