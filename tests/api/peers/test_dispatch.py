"""Dispatching by the API: the documented answer, the row with its signed envelope, and refusals."""

from __future__ import annotations

import time
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from peers.models import Dispatch, Intent, Peer, ReceivedDispatch, Relationship
from peers.protocol import DelegationScope, FederationEnvelope, parse_json_object, verify_envelope
from peers.services.catalog.intents import create_intent
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import approve_peer, suspend_peer
from tests.api.peers.partner import HUB, OPERATOR, Partner, deliver
from tests.conftest import Api

pytestmark = pytest.mark.django_db
DISPATCH = "/api/v1/federation/dispatch"

BLOCKED = [
    "http://alpha.example.org", "ftp://alpha.example.org", "file:///etc/passwd", "//alpha.example.org", "alpha", "",
    "https://localhost", "https://localhost.", "https://a.localhost", "https://127.0.0.1", "https://127.1",
    "https://2130706433", "https://0x7f000001", "https://017700000001", "https://0.0.0.0", "https://10.0.0.1",
    "https://172.16.0.1", "https://192.168.1.1", "https://169.254.169.254", "https://100.64.0.1",
    "https://[::1]", "https://[::ffff:127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]",
    "https://[fe80::1]", "https://[fc00::1]", "https://metadata.google.internal", "https://hub.local",
    "https://user:pass@alpha.example.org", "https://alpha.example.org@127.0.0.1", "https://älpha.example.org",
    "https://alpha.example.org:99999", "https://alpha.example.org\\@127.0.0.1",
]  # fmt: skip


@pytest.fixture
def operator(api: Api, owner: User) -> APIClient:
    """A client with the scope to dispatch."""
    return api(owner, "peers-write")


def envelope_of(dispatch: Dispatch) -> FederationEnvelope:
    """Return the stored envelope, verified as its target verifies it."""
    keys, target = hub_identity().verification_keys, dispatch.target_server
    message = parse_json_object(dispatch.envelope)
    return verify_envelope(message, keys=keys, target_server=target, now=time.time()).envelope


def test_the_answer_is_the_documented_one_and_the_envelope_is_in_the_outbox(
    operator: APIClient, alpha: Partner, alpha_peer: Peer
) -> None:
    scope = {"permissions": ["state.patch"], "denied_operations": ["x"], "max_delegation_depth": 2}
    body = {
        "intent_id": "i-1",
        "target_server": alpha.url + "/",
        "agent_id": "analyst",
        "delegation_scope": scope,
        "federation_policy": {"budget": {"max_llm_tokens": 5}},
        "callback_url": "https://hooks.example.org/in",
        "trace_context": {"trace_id": "t-1"},
        "intent_title": "Research",
        "intent_state": {"phase": "draft"},
    }

    response = operator.post(DISPATCH, body, format="json")

    dispatch = Dispatch.objects.get()
    assert (response.status_code, response.json()) == (
        200,
        {
            "dispatch_id": dispatch.pk,
            "status": "accepted",
            "target_server": alpha.url,
            "message": "Dispatch initiated",
        },
    )
    envelope = envelope_of(dispatch)
    assert (envelope.source_server, envelope.target_server, envelope.agent_id) == (HUB, alpha.url, "analyst")
    assert (envelope.intent_title, envelope.intent_state) == ("Research", {"phase": "draft"})
    assert envelope.callback_url == "https://hooks.example.org/in"
    assert envelope.delegation_scope is not None
    assert envelope.delegation_scope.to_dict() == scope == dispatch.scope
    assert (dispatch.status, dispatch.peer, dispatch.reason, dispatch.trace_id) == ("pending", alpha_peer, "", "t-1")
    assert dispatch.due_at is not None
    assert dispatch.created_by_name == "owner"


def test_callbacks_come_to_this_hub_unless_another_place_is_named(
    operator: APIClient, alpha: Partner, alpha_peer: Peer
) -> None:
    operator.post(DISPATCH, {"intent_id": "i-1", "target_server": alpha.url}, format="json")
    assert envelope_of(Dispatch.objects.get()).callback_url == HUB + "/api/v1/federation/callback"


def test_the_hubs_own_intent_is_described_and_the_request_may_say_otherwise(
    operator: APIClient, alpha: Partner, alpha_peer: Peer
) -> None:
    intent = create_intent(title="Ours", description="All", state={"a": 1}, constraints={"b": 2}, by=OPERATOR)
    body = {"intent_id": intent.pk, "target_server": alpha.url}

    operator.post(DISPATCH, body, format="json")
    own = envelope_of(Dispatch.objects.get())
    described = (own.intent_title, own.intent_description, own.intent_state, own.intent_constraints)
    assert described == ("Ours", "All", {"a": 1}, {"b": 2})

    operator.post(DISPATCH, body | {"intent_title": "Theirs", "intent_state": {}}, format="json")
    changed = envelope_of(Dispatch.objects.order_by("created_at").last())  # type: ignore[arg-type]
    assert (changed.intent_title, changed.intent_description, changed.intent_state) == ("Theirs", "All", {})


def test_a_dispatch_is_held_until_its_target_is_approved(operator: APIClient, alpha: Partner) -> None:
    peer = alpha.propose()
    response = operator.post(DISPATCH, {"intent_id": "i-1", "target_server": alpha.url}, format="json")
    assert (response.status_code, response.json()["message"]) == (200, "Dispatch initiated")
    dispatch = Dispatch.objects.get()
    assert (dispatch.status, dispatch.reason, dispatch.due_at, dispatch.peer) == (
        "pending", "awaiting approval", None, None,
    )  # fmt: skip

    approve_peer(peer, key_fingerprint=alpha.key.verification_key.fingerprint, by=OPERATOR)

    dispatch.refresh_from_db()
    assert (dispatch.reason, dispatch.due_at is None, dispatch.peer) == ("", False, peer)


def test_a_host_that_does_not_resolve_is_accepted(operator: APIClient) -> None:
    body = {"intent_id": "i-1", "target_server": "https://nowhere.invalid"}
    assert operator.post(DISPATCH, body, format="json").status_code == 200


def test_dispatches_to_a_suspended_peer_and_to_one_that_gets_no_work_are_held(
    operator: APIClient, alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    suspend_peer(alpha_peer, reason="incident", by=OPERATOR)
    Peer.objects.filter(server_url=beta.url).update(relationship=Relationship.UPSTREAM)
    for partner in (alpha, beta):
        operator.post(DISPATCH, {"intent_id": "i-1", "target_server": partner.url}, format="json")
    assert list(Dispatch.objects.order_by("created_at").values_list("reason", "due_at")) == [
        ("peer suspended", None),
        ("the relationship with the peer does not allow work for it", None),
    ]


@pytest.mark.parametrize("url", BLOCKED)
def test_blocked_urls(operator: APIClient, alpha: Partner, alpha_peer: Peer, assert_refused: Any, url: str) -> None:
    assert_refused.start()
    body = {"intent_id": "i-1", "target_server": url or "https://"}
    assert_refused(
        operator.post(DISPATCH, body, format="json"), 400, "Invalid target server URL: blocked by SSRF protection"
    )
    body = {"intent_id": "i-1", "target_server": alpha.url, "callback_url": url or "https://"}
    assert_refused(
        operator.post(DISPATCH, body, format="json"), 400, "Invalid callback URL: blocked by SSRF protection"
    )


def test_named_networks_are_open_in_development(operator: APIClient, settings: LazySettings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    body = {"intent_id": "i-1", "target_server": "http://127.0.0.1:8001"}
    assert operator.post(DISPATCH, body, format="json").status_code == 200
    assert operator.post(DISPATCH, body | {"target_server": "http://10.0.0.1"}, format="json").status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"intent_id": 5}, {"intent_id": ""}, {"intent_id": "x" * 65}, {"intent_id": None}, {"intent_id": ...},
        {"target_server": ["https://alpha.example.org"]}, {"target_server": ...}, {"agent_id": {}},
        {"delegation_scope": []}, {"delegation_scope": {"permissions": "all"}},
        {"delegation_scope": {"permissions": ["*"]}}, {"delegation_scope": {"max_delegation_depth": -5}},
        {"delegation_scope": {"max_delegation_depth": 1.5}}, {"delegation_scope": {"expires_at": "tomorrow"}},
        {"federation_policy": "x"}, {"federation_policy": {"budget": []}}, {"callback_url": 5},
        {"trace_context": {"trace_id": 5}}, {"trace_context": "x"}, {"intent_title": 5}, {"intent_title": "x" * 501},
        {"intent_state": []}, {"intent_constraints": "x"},
    ],
)  # fmt: skip
def test_wrong_types(operator: APIClient, alpha: Partner, alpha_peer: Peer, assert_refused: Any, change: Any) -> None:
    assert_refused.start()
    body = {"intent_id": "i-1", "target_server": alpha.url} | change
    body = {name: value for name, value in body.items() if value is not ...}
    assert_refused(operator.post(DISPATCH, body, format="json"), 422)


def test_who_may_not_dispatch(
    api: Api, owner: User, alpha: Partner, alpha_peer: Peer, assert_refused: Any, operator: APIClient
) -> None:
    body = {"intent_id": "i-1", "target_server": alpha.url}
    peers_token, partner = issue_peer_token(alpha_peer, days=1, by=OPERATOR), APIClient()
    reader, bad = api(owner, "peers-read federations-write"), APIClient(headers={"X-API-Key": "unknown"})
    assert_refused.start()
    for header in ({"X-API-Key": peers_token}, {"Authorization": f"Bearer {peers_token}"}):
        assert_refused(partner.post(DISPATCH, body, format="json", headers=header), 403)
    assert_refused(reader.post(DISPATCH, body, format="json"), 403)
    assert_refused(bad.post(DISPATCH, body, format="json"), 401)
    assert_refused(APIClient().post(DISPATCH, body, format="json"), 401, "Invalid or missing API key")


def test_while_disabled(operator: APIClient, alpha: Partner, settings: LazySettings, assert_refused: Any) -> None:
    assert_refused.start()
    settings.FEDHUB_ENABLED = False
    body = {"intent_id": "i-1", "target_server": alpha.url}
    assert_refused(operator.post(DISPATCH, body, format="json"), 400, "Federation not enabled")


# Passing received work on -------------------------------------------------------------------------------------------
def received_from(partner: Partner, **scope: Any) -> Intent:
    """Return the intent that the partner's dispatch made here."""
    values = DelegationScope(permissions=["state.patch", "events.log"], **scope).to_dict()
    policy = {"budget": {"max_llm_tokens": 100}}
    deliver(partner, partner.signed(delegation_scope=values, federation_policy=policy))
    return Intent.objects.get(is_received=True)


def test_received_work_goes_on_within_what_was_delegated(
    operator: APIClient, alpha: Partner, alpha_peer: Peer, beta: Partner
) -> None:
    intent = received_from(alpha, max_delegation_depth=2, denied_operations=["x"])
    asked = {"permissions": ["events.log", "admin"], "max_delegation_depth": 9}
    body = {
        "intent_id": intent.pk,
        "target_server": beta.url,
        "delegation_scope": asked,
        "federation_policy": {"budget": {"max_llm_tokens": 1000}},
    }
    assert operator.post(DISPATCH, body, format="json").status_code == 200
    envelope = envelope_of(Dispatch.objects.get())
    assert envelope.delegation_scope is not None
    assert envelope.delegation_scope.to_dict() == {
        "permissions": ["events.log"], "denied_operations": ["x"], "max_delegation_depth": 1,
    }  # fmt: skip
    assert envelope.federation_policy is not None
    assert envelope.federation_policy.budget == {"max_llm_tokens": 100}


def test_received_work_without_depth_left_stays_here(
    operator: APIClient, alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Any
) -> None:
    intent = received_from(alpha, max_delegation_depth=0)
    assert_refused.start()
    body = {"intent_id": intent.pk, "target_server": beta.url}
    assert_refused(operator.post(DISPATCH, body, format="json"), 403, "Delegation depth exceeded")


def test_received_work_whose_delegation_has_expired_stays_here(
    operator: APIClient, alpha: Partner, alpha_peer: Peer, beta: Partner, assert_refused: Any
) -> None:
    intent = received_from(alpha, max_delegation_depth=1)
    row = ReceivedDispatch.objects.get()
    ReceivedDispatch.objects.update(scope=row.scope | {"expires_at": "2020-01-01T00:00:00Z"})
    assert_refused.start()
    body = {"intent_id": intent.pk, "target_server": beta.url}
    assert_refused(operator.post(DISPATCH, body, format="json"), 403)
