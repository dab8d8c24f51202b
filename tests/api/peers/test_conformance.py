"""Requests made from the hub's own schema: each gets an answer that the schema describes."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import HealthCheck, given, settings

from core.actors import actor_of
from core.tokens.services import issue_token
from peers.protocol.federation_log import EXCHANGE_TYPE
from peers.services.catalog.intents import create_intent
from peers.services.outbox.dispatch import create_dispatch
from peers.services.trust.peer_tokens import issue_peer_token
from tests.api.peers.partner import OPERATOR, Partner
from tests.api.test_conformance import CHECKS, EXAMPLES, MORE_EXAMPLES, PEER_OPERATIONS, SCHEMA, requests_to
from tests.conftest import MakeAgent

BY_PEERS = ("federation_receive", "federation_callback", "federation_checkpoints")


@pytest.fixture
def headers(alpha: Partner, owner: User) -> dict[str, dict[str, str]]:
    """The token of each operation: a peer's token where only peers may call, else an operator's."""
    operator = issue_token("owner", scopes=["peers-read", "peers-write"], days=1)
    peer = issue_peer_token(alpha.approve(), days=1, by=OPERATOR)
    by_peer, by_operator = {"X-API-Key": peer}, {"Authorization": f"Bearer {operator}"}
    return {name: by_peer if name in BY_PEERS else by_operator for name in PEER_OPERATIONS}


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation_id", PEER_OPERATIONS)
def test_no_request_gets_an_answer_that_the_schema_does_not_describe(
    operation_id: str, headers: dict[str, dict[str, str]], alpha: Partner, owner: User, make_agent: MakeAgent
) -> None:
    make_agent(None, "known-agent")
    by = actor_of(owner)
    intent = create_intent(title="Known", by=by)
    dispatch = create_dispatch(intent_id=intent.id, target_server=alpha.url, by=by)
    answered: set[int] = set()
    # Otherwise every request would be refused for its source or for an unknown dispatch, and test nothing more.
    known: dict[str, Any] = {"source_server": alpha.url, "target_server": alpha.url}
    if operation_id in ("federation_receive", "federation_checkpoints"):
        known["target_server"] = "http://127.0.0.1:8000"
    if operation_id == "federation_checkpoints":
        # An invented checkpoint is never signed by the peer.
        known |= {"type": EXCHANGE_TYPE, "created_at": timezone.now().isoformat(), "checkpoint": None}
    if operation_id == "federation_callback":
        known = {"dispatch_id": dispatch.pk}

    @settings(
        max_examples=MORE_EXAMPLES.get(operation_id, EXAMPLES),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests_to(SCHEMA.find_operation_by_id(operation_id), {"intent_id": intent.id}))
    def ask(case: Any) -> None:
        if case.meta.generation.mode.is_positive and isinstance(case.body, dict):
            case.body = {name: known.get(name, value) for name, value in case.body.items()}
        response = case.call(headers=headers[operation_id])
        answered.add(response.status_code)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
    assert answered & {200, 201}, answered
