"""Numbers in messages: what is taken in goes out the same, and integers beyond 64 bits are refused at every door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from peers.models import Dispatch, HandlerEvent, InboundCallback, Intent, OutboundCallback, Peer, ReceivedDispatch
from peers.protocol import MalformedMessage
from peers.services.inbox.work_progress import report_progress
from tests.api.peers.callbacks import CALLBACK, attestation, callback, dispatch_to, report
from tests.api.peers.conftest import Refused
from tests.api.peers.partner import Partner, deliver
from tests.conftest import READ_WRITE, Api

pytestmark = pytest.mark.django_db
INTENTS, DISPATCH, FEDERATIONS = "/api/v1/intents", "/api/v1/federation/dispatch", "/api/v1/federations"
LAST, FIRST = 2**63 - 1, -(2**63)
NUMBERS: dict[str, Any] = {
    "z": 1e21,
    "minus zero": -0.0,
    "one": 1.0,
    "last": LAST,
    "first": FIRST,
    "2^63": 2.0**63,
    "large": [1e19, 1e300, -1e21, 1.7976931348623157e308],
    "small": [5e-324, 1e-7, 0.1, 123456789.123456789],
    "nested": {"list": [[1e21, -0.0], {"n": LAST, "deep": [FIRST, {"-": [-0.0]}]}]},
}


@pytest.fixture
def operator(api: Api, owner: User) -> APIClient:
    return api(owner, "peers-read peers-write")


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


EXPECTED = canonical(NUMBERS)


def test_numbers_of_an_intent_are_the_same_after_create_get_and_dispatch(
    operator: APIClient, alpha: Partner, alpha_peer: Peer
) -> None:
    body = {"title": "big", "state": NUMBERS, "constraints": {"all": NUMBERS}}
    created = json.loads(operator.post(INTENTS, body, format="json").content)
    shown = json.loads(operator.get(f"{INTENTS}/{created['id']}").content)
    for answer in (created, shown):
        assert canonical(answer["state"]) == EXPECTED
        assert canonical(answer["constraints"]["all"]) == EXPECTED

    request = {"intent_id": created["id"], "target_server": alpha.url}
    assert operator.post(DISPATCH, request, format="json").status_code == 200
    dispatch = Dispatch.objects.get()
    envelope = json.loads(dispatch.envelope)
    assert canonical(envelope["intent_state"]) == canonical(dispatch.state) == EXPECTED
    assert canonical(envelope["intent_constraints"]["all"]) == EXPECTED


def test_numbers_of_an_envelope_are_the_same_in_every_row_and_in_the_callback(
    alpha: Partner, alpha_peer: Peer, settings: Any
) -> None:
    settings.FEDHUB_HANDLERS = ["tests.api.peers.numbers.unknown"]
    policy = {"budget": {"max_llm_tokens": LAST, "cost_ceiling_usd": 1e21}}
    sent = alpha.signed(
        intent_state=NUMBERS, intent_constraints=NUMBERS, federation_policy=policy, callback_url=f"{alpha.url}/cb"
    )
    assert deliver(alpha, sent).status_code == 200
    intent, received = Intent.objects.get(), ReceivedDispatch.objects.get()
    assert canonical(intent.state) == canonical(intent.constraints) == EXPECTED
    assert canonical(received.envelope) == canonical(HandlerEvent.objects.get().payload) == canonical(sent)
    assert canonical(received.policy["budget"]) == canonical(policy["budget"])

    report_progress(received.pk, state_delta={"deep": NUMBERS}, key="a")
    assert canonical(Intent.objects.get().state["deep"]) == EXPECTED
    told = json.loads(OutboundCallback.objects.order_by("sequence")[1].body)
    assert canonical(told["state_delta"]["deep"]) == EXPECTED


def test_numbers_that_a_callback_patches_in_are_the_same_in_state_body_and_attestation(
    alpha: Partner, alpha_peer: Peer
) -> None:
    dispatch = dispatch_to(alpha)
    stated = attestation(alpha, dispatch.pk, usage=NUMBERS)
    message = callback(dispatch.pk, state_delta=NUMBERS, attestation=stated)
    assert report(alpha, message).status_code == 200
    dispatch.refresh_from_db()
    assert canonical(dispatch.state) == EXPECTED
    assert canonical(dispatch.attestation) == canonical(stated)
    assert canonical(InboundCallback.objects.get().body["state_delta"]) == EXPECTED


def nested(name: str, number: int) -> dict[str, Any]:
    """Return a member with the number deep inside, in an object and in an array."""
    return {name: {"a": [0, {"b": [number]}]}}


BEYOND = [2**63, FIRST - 1, 2**64, 10**40]
ENVELOPE_MEMBERS = [
    "intent_state", "intent_constraints", "federation_policy", "delegation_scope", "trace_context", "unknown",
]  # fmt: skip


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("name", ["state", "constraints", "unknown"])
def test_an_intent_with_an_integer_beyond_64_bits_is_malformed(
    operator: APIClient, assert_refused: Refused, name: str, number: int
) -> None:
    assert_refused.start()
    assert_refused(operator.post(INTENTS, {"title": "x", **nested(name, number)}, format="json"), 422)


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("name", ENVELOPE_MEMBERS)
def test_a_dispatch_with_an_integer_beyond_64_bits_is_malformed(
    operator: APIClient, alpha: Partner, alpha_peer: Peer, assert_refused: Refused, name: str, number: int
) -> None:
    assert_refused.start()
    body = {"intent_id": "i", "target_server": alpha.url, **nested(name, number)}
    assert_refused(operator.post(DISPATCH, body, format="json"), 422)


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("name", ENVELOPE_MEMBERS)
def test_an_envelope_with_an_integer_beyond_64_bits_is_malformed(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, name: str, number: int
) -> None:
    assert_refused.start()
    assert_refused(deliver(alpha, alpha.signed(**nested(name, number))), 422)


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("name", ["state_delta", "attestation", "of_another_version"])
def test_a_callback_with_an_integer_beyond_64_bits_is_malformed(
    alpha: Partner, alpha_peer: Peer, assert_refused: Refused, name: str, number: int
) -> None:
    dispatch = dispatch_to(alpha)
    assert_refused.start()
    assert_refused(report(alpha, callback(dispatch.pk, **nested(name, number))), 422)


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("name", ["providerConfig", "unknown"])
def test_a_federation_with_an_integer_beyond_64_bits_is_a_bad_request(
    api: Api, owner: User, name: str, number: int
) -> None:
    body = {"providerType": "aws_agentcore", "displayName": "x", **nested(name, number)}
    assert api(owner, READ_WRITE).post(FEDERATIONS, body, format="json").status_code == 400


@pytest.mark.parametrize("number", BEYOND)
def test_a_handler_that_reports_such_an_integer_changes_nothing(alpha: Partner, alpha_peer: Peer, number: int) -> None:
    deliver(alpha, alpha.signed(callback_url=f"{alpha.url}{CALLBACK}"))
    received, before = ReceivedDispatch.objects.get(), Intent.objects.get().state
    with pytest.raises(MalformedMessage):
        report_progress(received.pk, state_delta=nested("n", number), key="a")
    assert Intent.objects.get().state == before
    assert OutboundCallback.objects.count() == 1
