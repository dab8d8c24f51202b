"""Receiving an intent: the accepted requests, their answers, and the stored rows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from peers.models import Intent, JournalEntry, OutboundCallback, Peer, ReceivedDispatch, SeenNonce
from peers.services.catalog.agents import register_agent
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.partner import OPERATOR, RECEIVE, Partner, body_of, deliver, everything_stored, send
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db
LOCAL_ID = re.compile(r"fed-[0-9a-f]{8}-[0-9a-f]{8}\Z")


def test_an_intent_signed_both_ways_is_stored_and_accepted(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed(intent_description="All of it", intent_constraints={"region": "eu"})

    response = deliver(alpha, envelope)

    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["dispatch_id", "accepted", "message", "local_intent_id"]
    assert (body["dispatch_id"], body["accepted"]) == (envelope["dispatch_id"], True)
    assert body["message"] == "Intent received and accepted for processing"
    assert LOCAL_ID.match(body["local_intent_id"])
    assert body["local_intent_id"].startswith(f"fed-{envelope['dispatch_id'][:8]}-")
    intent = Intent.objects.get(pk=body["local_intent_id"])
    assert (intent.title, intent.description, intent.is_received) == ("Research task", "All of it", True)
    assert (intent.state, intent.constraints) == ({"phase": "draft"}, {"region": "eu"})
    received = intent.received
    assert (received.peer, received.envelope, received.is_finished) == (alpha_peer, envelope, False)
    assert SeenNonce.objects.get().peer == alpha_peer
    assert JournalEntry.objects.filter(kind="receive", dispatch_id=envelope["dispatch_id"]).count() == 1


@pytest.mark.parametrize("path", [RECEIVE, RECEIVE + "/"])
def test_the_slash_at_the_end_is_optional_and_never_redirects(alpha: Partner, alpha_peer: Peer, path: str) -> None:
    body = body_of(alpha.signed())

    assert send(body, alpha.headers(body, path=path), path=path).status_code == 200


def test_the_envelope_signature_of_a_plain_server_is_enough(alpha: Partner, alpha_peer: Peer) -> None:
    assert send(alpha.signed(intent_title="")).json()["accepted"] is True
    assert SeenNonce.objects.count() == 0
    assert Intent.objects.get().title == "intent-1"


def test_the_request_signature_alone_is_enough(alpha: Partner, alpha_peer: Peer) -> None:
    assert deliver(alpha, alpha.envelope()).json()["accepted"] is True


@pytest.mark.parametrize("header", ["HTTP_AUTHORIZATION", "HTTP_X_API_KEY"])
def test_a_client_that_cannot_sign_sends_its_token(alpha: Partner, alpha_peer: Peer, header: str) -> None:
    token = issue_peer_token(alpha_peer, days=1, by=OPERATOR)
    value = f"Bearer {token}" if header == "HTTP_AUTHORIZATION" else token

    assert send(alpha.envelope(target_server=..., created_at=...), {header: value}).json()["accepted"] is True


def test_any_spelling_of_the_peers_url_is_that_peer(alpha: Partner, alpha_peer: Peer) -> None:
    for spelling in ("https://ALPHA.example.org/", "https://alpha.example.org:443", "https://alpha.example.org./"):
        assert deliver(alpha, alpha.signed(source_server=spelling)).status_code == 200
    assert set(ReceivedDispatch.objects.values_list("peer_id", flat=True)) == {alpha_peer.pk}


def test_unknown_members_are_covered_by_the_signature_and_kept(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed(x_extension={"a": [1, 2.5, None]})

    assert deliver(alpha, envelope).status_code == 200
    assert ReceivedDispatch.objects.get().envelope["x_extension"] == {"a": [1, 2.5, None]}


def test_the_callback_that_says_accepted_is_queued_with_the_trace(alpha: Partner, alpha_peer: Peer) -> None:
    url = f"{alpha.url}/api/v1/federation/callback"
    envelope = alpha.signed(callback_url=url, trace_context={"trace_id": "trace-7"})

    deliver(alpha, envelope)

    callback = OutboundCallback.objects.get()
    assert (callback.event_type, callback.due_at is not None) == ("state_delta", True)
    assert '"state_delta":{"status":"accepted"}' in callback.body
    assert '"trace_id":"trace-7"' in callback.body


def test_callbacks_may_go_to_an_origin_that_staff_listed(alpha: Partner, alpha_peer: Peer) -> None:
    Peer.objects.filter(pk=alpha_peer.pk).update(callback_origins=["https://hooks.example.org"])

    assert deliver(alpha, alpha.signed(callback_url="https://hooks.example.org/cb")).status_code == 200


def test_without_state_patch_no_delta_is_reported(alpha: Partner, alpha_peer: Peer) -> None:
    scope = {"permissions": ["events.log"], "denied_operations": [], "max_delegation_depth": 0}

    deliver(alpha, alpha.signed(callback_url=f"{alpha.url}/cb", delegation_scope=scope))

    assert ReceivedDispatch.objects.get().scope == scope
    assert OutboundCallback.objects.count() == 0


@pytest.mark.parametrize("budget", [{"max_llm_tokens": 0}, {"cost_ceiling_usd": 0.0}, {"max_tool_calls": 0}])
def test_a_budget_of_zero_is_rejected_once_and_the_same_again(
    alpha: Partner, alpha_peer: Peer, budget: dict[str, Any]
) -> None:
    envelope = alpha.signed(federation_policy={"governance": {}, "budget": budget, "observability": {}})

    first, again = deliver(alpha, envelope), deliver(alpha, envelope)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == {
        "dispatch_id": envelope["dispatch_id"],
        "accepted": False,
        "message": "Rejected: budget constraints too restrictive",
    }
    assert again.json() == first.json() | {"message": "Already processed (idempotent)"}
    assert Intent.objects.count() == 0


def test_the_policy_is_composed_with_the_hubs_own(alpha: Partner, alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_POLICY = {"governance": {"require_approval": True}, "budget": {"max_llm_tokens": 100}}
    theirs = {"governance": {"require_approval": False}, "budget": {"max_llm_tokens": 500}, "observability": {}}

    deliver(alpha, alpha.signed(federation_policy=theirs))

    policy = ReceivedDispatch.objects.get().policy
    assert policy["governance"] == {"require_approval": True}
    assert policy["budget"] == {"max_llm_tokens": 100}


def test_a_hub_without_budget_rejects_everything(alpha: Partner, alpha_peer: Peer, settings: LazySettings) -> None:
    settings.FEDHUB_POLICY = {"budget": {"max_llm_tokens": 0}}

    assert deliver(alpha, alpha.signed()).json()["accepted"] is False


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_work_for_an_agent_that_the_peer_may_see_is_accepted(alpha: Partner, alpha_peer: Peer, visibility: str) -> None:
    register_agent("summarizer", visibility=visibility)

    assert deliver(alpha, alpha.signed(agent_id="summarizer")).status_code == 200


@pytest.mark.parametrize("agent_id", ["private-one", "no-such-agent"])
def test_a_private_agent_gets_the_answer_for_an_unknown_one(
    alpha: Partner, alpha_peer: Peer, agent_id: str, assert_refused: Any
) -> None:
    register_agent("private-one", visibility="private")
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed(agent_id=agent_id)), 404, "Agent not found")


def test_a_retry_gets_the_first_answer_and_does_nothing(alpha: Partner, alpha_peer: Peer) -> None:
    envelope = alpha.signed(idempotency_key="key-1")
    first = deliver(alpha, envelope).json()
    before = everything_stored() | {"SeenNonce": []}

    # Signed again, as after a long pause: only time and signature differ.
    anew = alpha.envelope(
        **{name: value for name, value in envelope.items() if name not in ("created_at", "signature")}
    )
    again = deliver(alpha, alpha.sign(anew))

    assert again.status_code == 200
    assert again.json() == first | {"message": "Already processed (idempotent)"}
    assert everything_stored() | {"SeenNonce": []} == before


def test_a_disabled_hub_says_so(alpha: Partner, alpha_peer: Peer, settings: LazySettings, assert_refused: Any) -> None:
    settings.FEDHUB_ENABLED = False
    assert_refused.start()

    assert_refused(deliver(alpha, alpha.signed()), 400, "Federation not enabled")


def test_other_methods_and_media_types_are_refused_in_json(
    alpha: Partner, alpha_peer: Peer, assert_refused: Any
) -> None:
    assert_refused.start()

    for method in ("get", "put", "delete"):
        response = getattr(Client(), method)(RECEIVE)
        assert (response.status_code, response.json()["message"]) == (405, f'Method "{method.upper()}" not allowed.')
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert_refused(Client().post(RECEIVE, b"{}", content_type=media_type), 415)


def test_one_receive_costs_one_transaction_and_few_queries(
    alpha: Partner, alpha_peer: Peer, transactional_db: None
) -> None:
    body = body_of(alpha.signed(callback_url=f"{alpha.url}/cb", idempotency_key="key-1"))
    headers = alpha.headers(body)
    deliver(alpha, alpha.signed())

    with counted_queries() as statements:
        assert send(body, headers).status_code == 200

    # MongoDB's transactions begin with their first command.
    assert sum(text.startswith("BEGIN") or "'startTransaction': True" in text for text in statements) == 1, statements
    assert len(statements) <= 9 + 3, "\n".join(text[:140] for text in statements)
